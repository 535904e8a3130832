// How a page is built: one script, one style sheet, nothing inline. For stories the
// page's stories.html is built as well, into a directory of its own.
import { svelte } from "@sveltejs/vite-plugin-svelte";

/** The page is its own origin, so what it loads needs no CORS mode; and style comes
    first, so that nothing is measured or painted without it. */
function tags(html) {
  const links = html.match(/ *<link rel="stylesheet"[^>]*>\n/g) ?? [];
  return links.reduce((h, l) => h.replace(l, ""), html).replace(/ *<script type="module"/, (s) => links.join("") + s).replaceAll(" crossorigin", "");
}
const plain = { name: "bailey-plain-tags", transformIndexHtml: { order: "post", handler: tags } };

export function page(name) {
  return ({ mode }) => {
    const stories = mode === "stories";
    return {
      base: "./",
      root: import.meta.dirname.replace(/ui$/, name),
      publicDir: false,
      plugins: [svelte(), plain],
      define: { "import.meta.env.MODE": JSON.stringify(mode) },
      build: {
        outDir: import.meta.dirname.replace(/apps\/ui$/, `build/${stories ? "stories" : "apps"}/${name}`),
        emptyOutDir: true,
        target: "safari18",
        assetsInlineLimit: 0,
        modulePreload: false,
        cssCodeSplit: stories,
        sourcemap: false,
        reportCompressedSize: true,
        rollupOptions: { input: stories ? "stories.html" : "index.html", output: { entryFileNames: "[name].js", chunkFileNames: "[name].js", assetFileNames: "[name][extname]" } },
      },
    };
  };
}
