import { surface } from "@bailey/sdk/app";
import type { Action } from "./action.js";

export const permissions: Action = { name: "permissions", perform: (s) => void s.panel(surface.Panel.PERMISSIONS) };
