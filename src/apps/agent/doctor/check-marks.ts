// Checks that the bits of our mark, the priorities of our rules and our routing tables are free.

import type { DatapathSettings } from "../../../reconcile/datapath.ts";
import { MARK_MASK, MARK_SHIFT_MAX, shiftMark } from "../../../reconcile/mark.ts";
import type { Finding } from "./finding.ts";
import { bad, ok } from "./finding.ts";
import type { MarkUse } from "./mark-uses.ts";
import { iptablesMarkUses, nftMarkUses, ruleMarkUses } from "./mark-uses.ts";
import type { DoctorRule, NetworkFacts } from "./network-facts.ts";

/** How many uses of one kind are told one by one. */
const TOLD_MAX = 3;
/** See reconcile/datapath.ts. */
const RULES = 32;
const TABLES = 8192;

/** Whether others use bits of our mark. */
export function checkMarks(facts: NetworkFacts, settings: DatapathSettings): Finding[] {
  const check = "marks";
  const ours = shiftMark(MARK_MASK, settings.markShift);
  const uses = markUses(facts, settings);
  const clashes = uses.filter((use) => clash(use, ours));
  const blurs = uses.filter((use) => !clash(use, ours) && (use.mask & ours) !== 0);
  if (clashes.length + blurs.length === 0) {
    return [ok(check, `nobody else uses the bits 0x${ours.toString(16)} of marks`)];
  }
  const remedy = shiftRemedy(uses);
  const found = clashes.map((use) => {
    const message = `${tell(use)}: bits of ours, 0x${ours.toString(16)}`;
    return bad("error", { check, message, remedy });
  });
  const unsure = blurs.map((use) => {
    const message = `${tell(use)}: it ${blurMeaning(use)}`;
    const advice = "give it a mask that leaves these bits out, if policy traffic can meet it";
    return bad("warning", { check, message, remedy: advice });
  });
  return [...shortened(found, check, remedy), ...shortened(unsure, check, "")];
}

function markUses(facts: NetworkFacts, settings: DatapathSettings): MarkUse[] {
  const foreign = facts.rules.filter((rule) => !isOurTable(rule.table, settings));
  const all = [
    ...ruleMarkUses(foreign),
    ...iptablesMarkUses(facts.iptables),
    ...nftMarkUses(facts.nftables, { own: settings.nftTable, saved: facts.iptables !== "" }),
  ];
  const unique = new Map(all.map((use) => [`${use.where} ${tell(use)}`, use]));
  return [...unique.values()];
}

/** Somebody gives a bit of ours a meaning, or writes it together with a few others. */
function clash({ how, value, mask }: MarkUse, ours: number): boolean {
  if ((value & ours) !== 0) return true;
  return how === "sets" && (mask & ours) !== 0 && mask !== WHOLE;
}

const WHOLE = 0xffffffff;

function blurMeaning({ how }: MarkUse): string {
  return how === "sets" ? "overwrites ours too" : "does not match where ours are set";
}

function tell({ where, how, value, mask }: MarkUse): string {
  const bits = mask === WHOLE ? "" : `/0x${mask.toString(16)}`;
  return `${where} ${how} 0x${value.toString(16)}${bits}`;
}

/** The first few, and how many there are beyond. */
function shortened(findings: readonly Finding[], check: string, remedy: string): Finding[] {
  const told = findings.slice(0, TOLD_MAX);
  const rest = findings.length - told.length;
  const level = findings[0]?.level;
  if (rest === 0 || level === undefined || level === "ok") return told;
  return [...told, bad(level, { check, message: `${rest} more uses of that kind`, remedy })];
}

/** The bits of kube-proxy, which may begin to use them later (pkg/proxy/iptables). */
const KUBE_PROXY = 0xc000;

/** Names a shift that is free, if there is one. */
function shiftRemedy(uses: readonly MarkUse[]): string {
  for (let shift = 0; shift <= MARK_SHIFT_MAX; shift++) {
    const bits = shiftMark(MARK_MASK, shift);
    if ((bits & KUBE_PROXY) !== 0 || uses.some((use) => clash(use, bits))) continue;
    return `start the agent with --mark-shift ${shift}: 0x${bits.toString(16)} is free here`;
  }
  return "no 14 bits in a row are free: change the marks of the others";
}

/** Whether rules and tables of others stand where ours go. */
export function checkRouting(facts: NetworkFacts, settings: DatapathSettings): Finding[] {
  const check = "routing";
  const { rulePriority, routeTable, routeProtocol } = settings;
  const findings: Finding[] = [];
  for (const rule of facts.rules) {
    if (isOurTable(rule.table, settings) || isUsual(rule)) continue;
    const { priority, table, always } = rule;
    const inside = priority >= rulePriority && priority < rulePriority + RULES;
    if (inside) {
      const message = `ip rule ${priority} (table ${table}) stands among the priorities of ours`;
      const range = `${rulePriority} to ${rulePriority + RULES - 1}`;
      findings.push(bad("error", { check, message, remedy: `move it out of ${range}` }));
    } else if (always && priority < rulePriority) {
      const message = `ip rule ${priority} (table ${table}) takes every packet before ours`;
      const remedy = `give it a priority above ${rulePriority + RULES - 1}`;
      findings.push(bad("warning", { check, message, remedy }));
    }
  }
  for (const [table, protocols] of facts.tables) {
    if (table < routeTable || table >= routeTable + TABLES) continue;
    const foreign = [...protocols].filter((one) => one !== String(routeProtocol));
    if (foreign.length === 0) continue;
    const message = `routing table ${table} has routes of protocol ${foreign.join(", ")}`;
    const remedy = `move them out of the tables ${routeTable} to ${routeTable + TABLES - 1}`;
    findings.push(bad("error", { check, message, remedy }));
  }
  return findings.length > 0 ? findings : [ok(check, "priorities and tables of ours are free")];
}

function isOurTable(table: string, { routeTable }: DatapathSettings): boolean {
  const number = Number(table);
  return number >= routeTable && number < routeTable + TABLES;
}

/** The kernel's own first rule, of priority 0 or where a VRF or Calico moved it. */
function isUsual({ table }: DoctorRule): boolean {
  return table === "local" || table === "255";
}
