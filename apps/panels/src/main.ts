import "@bailey/ui/theme.css";
import { pageCore } from "@bailey/sdk/panel";
import { mount } from "svelte";
import { Panel } from "./panel.svelte.js";
import App from "./views/App.svelte";
import Outside from "./views/Outside.svelte";

const target = document.getElementById("app")!;
if (pageCore) {
  const panel = new Panel(pageCore);
  mount(App, { target, props: { panel } });
  void panel.start();
} else {
  mount(Outside, { target });
}
