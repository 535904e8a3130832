import { surface } from "@bailey/sdk/app";
import type { Action } from "./action.js";

export const activity: Action = { name: "activity", perform: (s) => void s.panel(surface.Panel.ACTIVITY) };
