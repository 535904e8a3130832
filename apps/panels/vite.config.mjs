import { page } from "../ui/vite.mjs";

export default page("panels");
