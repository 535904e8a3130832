/** The one list of actions, in the order of the palette. */
import type { Action } from "./action.js";
import { activity } from "./activity.js";
import { copyLast } from "./copyLast.js";
import { editLast } from "./editLast.js";
import { erase } from "./erase.js";
import { folder } from "./folder.js";
import { help } from "./help.js";
import { home } from "./home.js";
import { newChat } from "./newChat.js";
import { palette } from "./palette.js";
import { permissions } from "./permissions.js";
import { regenerate } from "./regenerate.js";
import { sidebar } from "./sidebar.js";
import { stop } from "./stop.js";

export const actions: readonly Action[] = [folder, newChat, stop, regenerate, editLast, copyLast, erase, home, permissions, activity, sidebar, palette, help];
