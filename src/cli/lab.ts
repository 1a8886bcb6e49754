// `sluice lab`: a whole cluster in network namespaces on this machine.

import { resolve } from "node:path";
import { check } from "../apps/lab/check.ts";
import { tearDown } from "../apps/lab/down.ts";
import { runInMember } from "../apps/lab/exec.ts";
import { LabError } from "../apps/lab/lab-error.ts";
import { labelNode } from "../apps/lab/objects.ts";
import { LAB_NAME, LabPlace } from "../apps/lab/place.ts";
import { addPod, deletePod } from "../apps/lab/pods.ts";
import { applyPolicies, deletePolicy } from "../apps/lab/policies.ts";
import { agentRuns, startAgent, stopAgent, waitForAgent } from "../apps/lab/processes.ts";
import {
  checkData,
  renderCheck,
  renderStatus,
  renderTraffic,
  statusData,
  trafficData,
} from "../apps/lab/render.ts";
import { labNames, loadTopology } from "../apps/lab/state.ts";
import { statusOf } from "../apps/lab/status.ts";
import type { LabOptions } from "../apps/lab/topology.ts";
import { LIMITS, planTopology } from "../apps/lab/topology.ts";
import { runTraffic } from "../apps/lab/traffic.ts";
import { bringUp, checkMachine } from "../apps/lab/up.ts";
import { blockJson } from "../lib/data.ts";
import { counted, thousands } from "../lib/text.ts";
import type { Arguments } from "./arguments.ts";
import type { Exit } from "./command.ts";
import { EXIT, UsageError, usageErrorOf } from "./command.ts";
import { Progress } from "./progress.ts";
import type { Terminal } from "./terminal.ts";

/** Runs one action; what a lab cannot do is a UsageError with a remedy. */
export async function run(args: Arguments, terminal: Terminal): Promise<Exit> {
  try {
    return await act(args, terminal);
  } catch (error) {
    if (error instanceof LabError) throw new UsageError(error.message, error.remedy);
    throw usageErrorOf(error);
  }
}

async function act(args: Arguments, terminal: Terminal): Promise<Exit> {
  const place = placeOf(args);
  const [action = "", ...words] = args.positionals;
  switch (action) {
    case "up":
      take(words, []);
      return up(place, args, terminal);
    case "down":
      take(words, []);
      return down(place, terminal);
    case "exec":
      return exec(place, words);
    case "label": {
      const [node, change] = take(words, ["NODE", "KEY=VALUE or KEY-"]) as [string, string];
      loadTopology(place);
      await labelNode(place, node, change);
      terminal.emit(`${node}: ${change}\n`);
      return EXIT.ok;
    }
    case "pod":
      return changePods(place, words, terminal);
    case "agent":
      return changeAgents(place, words, terminal);
    case "policy":
      return changePolicies(place, words, terminal);
    case "check":
      take(words, []);
      return checkLab(place, args, terminal);
    case "traffic":
      take(words, []);
      return traffic(place, args, terminal);
    case "status":
      take(words, []);
      return status(place, args, terminal);
    default:
      throw new UsageError(`unknown action '${action}'`);
  }
}

function placeOf(args: Arguments): LabPlace {
  const name = args.text("name") ?? "";
  if (LAB_NAME.test(name)) return new LabPlace(name);
  throw new UsageError(`--name '${name}' is no name`, "Use a-z, 0-9 and -, at most 16.");
}

/** The words of an action; those named `[LIKE THIS]` may be left out. */
function take(words: readonly string[], names: readonly string[]): readonly string[] {
  const missing = names[words.length];
  if (missing !== undefined && !missing.startsWith("[")) {
    throw new UsageError(`${missing} is required`);
  }
  if (words.length > names.length) {
    throw new UsageError(`unexpected argument '${words[names.length]}'`);
  }
  return words;
}

function optionsOf(args: Arguments, name: string): LabOptions {
  const counts = {
    workers: args.count("workers"),
    gateways: args.count("gateways"),
    pods: args.count("pods"),
  };
  for (const [key, max] of Object.entries(LIMITS)) {
    if (counts[key as keyof typeof counts] <= max) continue;
    throw new UsageError(`--${key}: a lab has at most ${max}`, "");
  }
  const cni = args.choice("cni", ["ptp", "bridge"]);
  const path = args.text("api");
  return {
    ...{ name, ...counts, cni, ipv6: args.has("ipv6") },
    ...{ agents: !args.has("no-agents"), secondNic: args.has("second-nic") },
    ...(path === undefined ? {} : { api: { kubeconfig: resolve(path) } }),
  };
}

async function up(place: LabPlace, args: Arguments, terminal: Terminal): Promise<Exit> {
  const { tell, messages, emit } = terminal;
  const topology = planTopology(optionsOf(args, place.name));
  const started = performance.now();
  const seconds = () => ((performance.now() - started) / 1000).toFixed(1);
  await bringUp(place, topology, (stage) => {
    tell(`${messages.paint("faint", `${seconds().padStart(5)} s`)}  ${stage}\n`);
  });
  const { workers, gateways, pods } = topology;
  emit(
    `lab '${place.name}' is up after ${seconds()} s: ${counted(workers, "worker")}, ` +
      `${counted(gateways, "gateway")}, ${counted(pods, "pod")}\n`,
  );
  return EXIT.ok;
}

async function down(place: LabPlace, { emit, tell, messages }: Terminal): Promise<Exit> {
  checkMachine(undefined);
  const found = await tearDown(place, {
    onKept({ message }) {
      const title = "The lab's objects stay in its API server:";
      tell(`${messages.paint("warning", title)} ${message}\n`);
      tell("  Delete its Nodes, Pods, policies and NodeStates there by hand, with kubectl.\n");
    },
  });
  const others = labNames();
  const known = others.length === 0 ? "" : `; there are: ${others.join(", ")}`;
  emit(found ? `lab '${place.name}' is gone\n` : `there was no lab '${place.name}'${known}\n`);
  return EXIT.ok;
}

async function exec(place: LabPlace, words: readonly string[]): Promise<Exit> {
  const [member, ...command] = words;
  if (member === undefined) throw new UsageError("POD or NODE is required");
  if (command.length === 0) {
    const example = `For example: sluice lab exec ${member} -- ip address`;
    throw new UsageError("COMMAND is required", example);
  }
  const lab = { place, topology: loadTopology(place) };
  // Whatever the command ends with is the answer.
  return (await runInMember(lab, member, command)) as Exit;
}

async function changePods(
  place: LabPlace,
  [verb, ...words]: readonly string[],
  { emit }: Terminal,
): Promise<Exit> {
  const lab = { place, topology: loadTopology(place) };
  if (verb === "add") {
    const [name, nodeName] = take(words, ["[NAME]", "[NODE]"]);
    const pod = await addPod(lab, { name, nodeName });
    emit(`${pod.name} runs on ${pod.node} with ${pod.addresses.join(", ")}\n`);
    return EXIT.ok;
  }
  if (verb !== "delete") throw new UsageError("write 'pod add' or 'pod delete'");
  const pod = await deletePod(lab, take(words, ["POD"])[0] as string);
  emit(`${pod.name} is gone\n`);
  return EXIT.ok;
}

async function changeAgents(
  place: LabPlace,
  [verb, ...words]: readonly string[],
  { emit }: Terminal,
): Promise<Exit> {
  const { nodes } = loadTopology(place);
  if (verb !== "start" && verb !== "stop") {
    throw new UsageError("write 'agent start' or 'agent stop'");
  }
  const [name] = take(words, ["NODE"]) as [string];
  const node = nodes.find((one) => one.name === name);
  if (node === undefined) {
    const known = nodes.map((one) => one.name).join(", ");
    throw new UsageError(`there is no node '${name}'`, `The nodes: ${known}.`);
  }
  if (verb === "stop") {
    const ran = await stopAgent(place, name);
    emit(ran ? `the agent of ${name} has ended\n` : `the agent of ${name} did not run\n`);
    return EXIT.ok;
  }
  if (agentRuns(place, name) === undefined) startAgent(place, node);
  await waitForAgent(place, node);
  emit(`the agent of ${name} is ready\n`);
  return EXIT.ok;
}

async function changePolicies(
  place: LabPlace,
  [verb, ...words]: readonly string[],
  { emit }: Terminal,
): Promise<Exit> {
  loadTopology(place);
  if (verb === "apply") {
    const names = await applyPolicies(place, take(words, ["FILE"])[0] as string);
    for (const name of names) emit(`policy ${name} is applied\n`);
    return EXIT.ok;
  }
  if (verb !== "delete") throw new UsageError("write 'policy apply' or 'policy delete'");
  const [name] = take(words, ["NAME"]) as [string];
  await deletePolicy(place, name);
  emit(`policy ${name} is gone\n`);
  return EXIT.ok;
}

async function checkLab(place: LabPlace, args: Arguments, terminal: Terminal): Promise<Exit> {
  const { screen, emit } = terminal;
  const result = await check(place, loadTopology(place), { once: args.has("once") });
  if (wantsJson(args)) emit(`${blockJson(checkData(result))}\n`);
  else renderCheck(result, screen, emit);
  return result.fits ? EXIT.ok : EXIT.found;
}

async function traffic(place: LabPlace, args: Arguments, terminal: Terminal): Promise<Exit> {
  const { screen, emit, tell, watched } = terminal;
  const progress = new Progress(terminal);
  const started = performance.now();
  let said = "";
  const result = await runTraffic(place, loadTopology(place), {
    seconds: args.count("seconds"),
    flows: args.count("flows"),
    onProgress({ flows, established, broken, sent, answered, changes }) {
      const seconds = ((performance.now() - started) / 1000).toFixed(1).padStart(5);
      const state = established < flows ? `${established} of ${flows} flows are` : `${flows} flows`;
      const moved = changes === 0 ? "" : `, ${counted(changes, "change")} of the plan`;
      const trouble = broken === 0 ? "" : `, ${broken} broken`;
      const news = `${state} established${moved}${trouble}`;
      // A log gets a line when something happens, a person also the numbers.
      const onTheWay = `${thousands(sent - answered)} on the way`;
      if (watched) progress.update(`${seconds} s  ${news}; ${onTheWay}`);
      else if (news !== said && established === flows) tell(`${seconds} s  ${news}\n`);
      said = news;
    },
  });
  progress.done();
  if (wantsJson(args)) emit(`${blockJson(trafficData(result))}\n`);
  else renderTraffic(result, screen, emit);
  return result.fits ? EXIT.ok : EXIT.found;
}

async function status(place: LabPlace, args: Arguments, terminal: Terminal): Promise<Exit> {
  const { screen, emit } = terminal;
  const found = await statusOf(place, loadTopology(place));
  if (wantsJson(args)) emit(`${blockJson(statusData(found))}\n`);
  else renderStatus(found, screen, emit);
  return EXIT.ok;
}

function wantsJson(args: Arguments): boolean {
  return args.choice("output", ["table", "json"]) === "json";
}
