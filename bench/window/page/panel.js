// The page of the benchmark in the place of the panels': at a click it withdraws
// the one permission that is used.
import { grantList, grantRevoke, pageCore as core, State } from "@bailey/sdk/panel";

const tell = (order) => window.bailey.post(order).catch(() => {});
let told = 0;

async function withdraw() {
  for await (const g of grantList(core, { all: false })) {
    if (g.state !== State.LIVE) continue;
    await tell("@reset");
    await grantRevoke(core, { id: g.id });
    await tell(`@dump withdrawn-${++told}`);
    return;
  }
  throw new Error("nothing is granted");
}

addEventListener("click", () => withdraw().catch((e) => tell(`@say failed ${e?.code ?? ""} ${e}`)));
tell(`@say ready ${++told}`);
