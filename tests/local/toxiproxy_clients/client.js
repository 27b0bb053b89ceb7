// `toxiproxy-node-client`, all that it can, on the server at port argv[2]; prints what it saw.
const { Toxiproxy } = require("toxiproxy-node-client");

const said = (error) => String(error.message || error).slice(0, 300);

async function main() {
  const server = new Toxiproxy(`http://127.0.0.1:${process.argv[2]}`);
  console.log(await server.getVersion(), await server.getAll());
  const proxy = await server.createProxy({ name: "one", listen: "127.0.0.1:0", upstream: "127.0.0.1:9" });
  console.log(JSON.stringify(proxy.toJson()));
  const late = await proxy.addToxic({ type: "latency", name: "late", stream: "downstream", toxicity: 1, attributes: { latency: 5, jitter: 1 } });
  console.log(JSON.stringify(late.toJson()));
  console.log(JSON.stringify((await late.update({ ...late.toJson(), attributes: { latency: 7 } })).toJson()));
  console.log(JSON.stringify((await proxy.getToxic("late")).toJson()));
  for (const wrong of [{ type: "nonsense" }, { type: "latency", name: "late" }, { type: "noop", stream: "x" }]) {
    await proxy.addToxic(wrong).catch((error) => console.log(said(error)));
  }
  await proxy.getToxic("none").catch((error) => console.log(said(error)));
  await server.get("none").catch((error) => console.log(said(error)));
  await late.remove();
  await proxy.getToxic("late").catch((error) => console.log(said(error)));
  console.log(JSON.stringify((await proxy.update({ ...proxy.toJson(), enabled: false })).toJson()));
  await server.reset();
  console.log(JSON.stringify((await server.get("one")).toJson()));
  const made = await server.populate([{ name: "two", listen: "127.0.0.1:0", upstream: "127.0.0.1:9" }]);
  console.log(Object.keys(made), Object.keys(await server.getAll()).sort());
  for (const one of Object.values(await server.getAll())) await one.remove();
  console.log(await server.getAll());
}

main().catch((error) => { console.error(error); process.exit(1); });
