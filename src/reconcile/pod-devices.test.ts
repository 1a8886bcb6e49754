import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { address } from "../../test/support/sample-plan.ts";
import { bridgeKernel, link, macOf, route, veth } from "../../test/support/sample-kernel.ts";
import type { KernelState } from "../net/kernel-state.ts";
import { renderAddress } from "../net/address.ts";
import { addressesToProbe, findPodDevices } from "./pod-devices.ts";

function found(kernel: KernelState, ...texts: string[]) {
  const { devices, attach } = findPodDevices(kernel, texts.map(address));
  const entries = [...devices].map(([at, { ifindex, interface: device }]) => {
    return `${renderAddress(at)} ${ifindex} ${device}`;
  });
  return { entries, attach };
}

function probed(kernel: KernelState, ...texts: string[]): string[] {
  return addressesToProbe(kernel, texts.map(address)).map(renderAddress);
}

describe("pods behind a bridge", () => {
  test("are behind the port where the bridge found them; its other ports count too", () => {
    const { entries, attach } = found(bridgeKernel(), "10.244.1.2", "fd00:1::2", "10.244.1.3");
    assert.deepEqual(entries, ["10.244.1.2 4 cni0", "fd00:1::2 4 cni0", "10.244.1.3 5 cni0"]);
    assert.deepEqual(attach, [4, 5, 6]);
  });

  test("are to be probed while neighbour or port is unknown, and only they", () => {
    const kernel = bridgeKernel();
    const all = ["10.244.1.2", "10.244.1.4", "10.244.2.2", "198.51.100.7", "2001:db8::1"];
    assert.deepEqual(probed(kernel, ...all), ["10.244.1.4"]);
    assert.deepEqual(found(kernel, "10.244.1.4"), { entries: [], attach: [] });
    const deaf = { ...kernel, bridgeEntries: [] };
    assert.deepEqual(probed(deaf, "10.244.1.2"), ["10.244.1.2"]);
    assert.deepEqual(found(deaf, "10.244.1.2").entries, []);
  });

  test("are nowhere when two ports have their MAC address, or no pod's device has it", () => {
    const kernel = bridgeKernel();
    const twice = [...kernel.bridgeEntries, { mac: macOf(102), bridge: 3, port: 6 }];
    assert.deepEqual(found({ ...kernel, bridgeEntries: twice }, "10.244.1.2").entries, []);
    const nic = link(7, "ens3", { master: 3 });
    const outside = [{ mac: macOf(102), bridge: 3, port: 7 }];
    const bridged = { ...kernel, links: [...kernel.links, nic], bridgeEntries: outside };
    assert.deepEqual(found(bridged, "10.244.1.2"), { entries: [], attach: [] });
    assert.deepEqual(probed(bridged, "10.244.1.2"), []);
  });

  test("the port towards the node's own next hop is no pod's", () => {
    const kernel = bridgeKernel();
    const routes = [...kernel.routes, route("0.0.0.0/0", "cni0", { via: "10.244.1.3" })];
    const { entries, attach } = found({ ...kernel, routes }, "10.244.1.2", "10.244.1.3");
    assert.deepEqual(entries, ["10.244.1.2 4 cni0"]);
    assert.deepEqual(attach, [4, 6]);
  });
});

describe("pods with a device of their own", () => {
  const kernel: KernelState = {
    links: [
      veth(2, "eth0", { addresses: [["172.18.0.2/16"]] }),
      veth(3, "cali1", { addresses: [["fe80::1/64", { scope: "link" }]] }),
      veth(4, "cali2"),
      veth(5, "pair", { addresses: [["10.6.9.1/30"]] }),
      link(6, "veth-here", { kind: "veth" }),
      link(7, "sluice0", { kind: "vxlan" }),
    ],
    routes: [
      route("0.0.0.0/0", "eth0", { via: "172.18.0.1" }),
      route("172.18.0.0/16", "eth0"),
      route("fe80::/64", "cali1"),
      route("10.6.0.2/32", "cali1"),
      route("fd00::2/128", "cali1"),
      route("10.6.0.3/32", "cali2", { table: 100 }),
      route("10.6.9.0/30", "pair"),
      route("10.6.0.6/32", "veth-here"),
      route("10.6.0.7/32", "sluice0"),
      route("10.6.0.8/32", "cali1"),
      route("10.6.0.8/32", "cali2"),
      route("10.6.0.9/32", "cali2", { metric: 5 }),
      route("10.6.0.9/32", "cali1", { metric: 6 }),
      route("10.6.0.10/32", "gone"),
      route("172.18.0.9/32", "eth0"),
    ],
    neighbours: [],
    bridgeEntries: [],
  };

  test("are where their route in the main table leads", () => {
    const { entries, attach } = found(kernel, "10.6.0.2", "fd00::2", "10.6.0.9", "10.6.9.2");
    assert.deepEqual(entries, [
      "10.6.0.2 3 cali1",
      "fd00::2 3 cali1",
      "10.6.0.9 4 cali2",
      "10.6.9.2 5 pair",
    ]);
    assert.deepEqual(attach, [3, 4, 5]);
  });

  test("are nowhere without one certain answer", () => {
    const uncertain = ["10.6.0.3", "10.6.0.6", "10.6.0.7", "10.6.0.8", "10.6.0.10", "8.8.8.8"];
    assert.deepEqual(found(kernel, ...uncertain), { entries: [], attach: [] });
    assert.deepEqual(probed(kernel, ...uncertain), []);
  });

  test("are never behind what the node itself uses, a veth though it be", () => {
    assert.deepEqual(found(kernel, "172.18.0.9"), { entries: [], attach: [] });
    // The control: the same device without the node's own routes and subnet.
    const links = kernel.links.map((one) => (one.name === "eth0" ? veth(2, "eth0") : one));
    const routes = kernel.routes.filter(({ via }) => via === undefined);
    const bare = { ...kernel, links, routes };
    assert.deepEqual(found(bare, "172.18.0.9").entries, ["172.18.0.9 2 eth0"]);
  });
});
