// Runs a pinned program on a packet made by hand (BPF_PROG_TEST_RUN), and makes the packets:
// Ethernet, tags, IPv4 or IPv6, byte by byte without a line of src/.

import koffi from "koffi";
import { openMap } from "./raw-map.ts";

/** TC_ACT_UNSPEC and TC_ACT_SHOT of linux/pkt_cls.h. */
export const GO_ON = -1;
export const DROP = 2;

const ETH_P_8021Q = 0x8100;
const SK_BUFF_BYTES = 192;
const MARK_AT = 8;
const IFINDEX_AT = 40;

export interface Run {
  readonly packet: Buffer;
  /** The device that it comes from; 0: none in particular. */
  readonly ifindex?: number;
  readonly mark?: number;
}

/** What the program returns, and the mark that the packet has then. */
export function runProgram(path: string, run: Run): { verdict: number; mark: number } {
  return repeatProgram(path, { ...run, repeat: 1 });
}

/** The same of the last of many runs, and what one of them took on average, in nanoseconds. */
export function repeatProgram(
  path: string,
  { packet, ifindex = 0, mark = 0, repeat }: Run & { readonly repeat: number },
): { verdict: number; mark: number; ns: number } {
  const fd = openMap(path);
  const context = Buffer.alloc(SK_BUFF_BYTES);
  context.writeUInt32LE(mark, MARK_AT);
  context.writeUInt32LE(ifindex, IFINDEX_AT);
  const after = Buffer.alloc(SK_BUFF_BYTES);
  // struct bpf_test_run_opts of bpf/bpf.h.
  const options = Buffer.alloc(80);
  options.writeBigUInt64LE(80n, 0);
  options.writeBigUInt64LE(koffi.address(packet), 8);
  options.writeUInt32LE(packet.length, 24);
  options.writeBigUInt64LE(koffi.address(context), 32);
  options.writeBigUInt64LE(koffi.address(after), 40);
  options.writeUInt32LE(context.length, 48);
  options.writeUInt32LE(after.length, 52);
  options.writeInt32LE(repeat, 60);
  const run = koffi.load("libbpf.so.1").func("int bpf_prog_test_run_opts(int, void *)");
  const result = run(fd, options) as number;
  koffi.load("libc.so.6").func("int close(int)")(fd);
  if (result < 0) throw new Error(`bpf_prog_test_run_opts: ${result}`);
  const [verdict, ns] = [options.readInt32LE(56), options.readUInt32LE(64)];
  return { verdict, mark: after.readUInt32LE(MARK_AT), ns };
}

export interface Frame {
  readonly from: string;
  readonly to: string;
  /** VLAN ids, the outermost first. */
  readonly tags?: readonly number[];
  /** IPv4: flags and fragment offset. */
  readonly fragment?: number;
  /** Of IPv4's protocol or IPv6's next header. */
  readonly protocol?: number;
  readonly payload?: Buffer;
}

const UDP = 17;

/** A frame with an IP packet in it. */
export function frame({ from, to, tags = [], ...rest }: Frame): Buffer {
  const v6 = from.includes(":");
  const ip = v6 ? ipv6({ from, to, ...rest }) : ipv4({ from, to, ...rest });
  return ethernet(v6 ? 0x86dd : 0x0800, ip, tags);
}

export function ethernet(type: number, payload: Buffer, tags: readonly number[] = []): Buffer {
  const types = [...tags.map(() => ETH_P_8021Q), type];
  const head = Buffer.from("02000000000202000000000100000000", "hex").subarray(0, 12);
  const tagged = types.map((one, i) => {
    const bytes = Buffer.alloc(i < tags.length ? 4 : 2);
    bytes.writeUInt16BE(one, 0);
    if (i < tags.length) bytes.writeUInt16BE(tags[i] as number, 2);
    return bytes;
  });
  return Buffer.concat([head, ...tagged, payload]);
}

function ipv4({ from, to, fragment = 0, protocol = UDP, ...rest }: Frame): Buffer {
  const { payload = Buffer.alloc(8) } = rest;
  const header = Buffer.alloc(20);
  header[0] = 0x45;
  header.writeUInt16BE(20 + payload.length, 2);
  header.writeUInt16BE(fragment, 6);
  header[8] = 64;
  header[9] = protocol;
  Buffer.from(from.split(".").map(Number)).copy(header, 12);
  Buffer.from(to.split(".").map(Number)).copy(header, 16);
  return Buffer.concat([header, payload]);
}

function ipv6({ from, to, protocol = UDP, payload = Buffer.alloc(8) }: Frame): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(payload.length, 4);
  header[6] = protocol;
  header[7] = 64;
  groups(from).copy(header, 8);
  groups(to).copy(header, 24);
  return Buffer.concat([header, payload]);
}

/** `2001:db8::5` as bytes; an IPv4 tail is written as two groups. */
function groups(text: string): Buffer {
  const [head = "", tail = ""] = text.split("::");
  const words = (part: string) => (part === "" ? [] : part.split(":"));
  const zeros = new Array<string>(8 - words(head).length - words(tail).length).fill("0");
  const all = [...words(head), ...zeros, ...words(tail)];
  return Buffer.from(all.map((word) => word.padStart(4, "0")).join(""), "hex");
}
