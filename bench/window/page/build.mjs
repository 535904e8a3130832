// Builds the two pages as Studio's are built: node build.mjs DIRECTORY
import { build } from "vite";

for (const [name, script] of [["studio", "app.js"], ["panels", "panel.js"]]) {
  await build({
    configFile: false,
    root: import.meta.dirname,
    logLevel: "warn",
    build: { outDir: `${process.argv[2]}/${name}`, emptyOutDir: true, target: "safari18", lib: { entry: script, formats: ["es"], fileName: () => "page.js" } },
  });
}
