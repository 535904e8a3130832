import "@bailey/ui/theme.css";
import "@bailey/ui/prose.css";
import { pageCore } from "@bailey/sdk/app";
import { mount } from "svelte";
import Outside from "./views/Outside.svelte";
import App from "./views/App.svelte";
import { Studio } from "./state/studio.svelte.js";

const target = document.getElementById("app")!;
if (pageCore) {
  const studio = new Studio(pageCore);
  mount(App, { target, props: { studio } });
  void studio.start();
} else {
  mount(Outside, { target });
}
