// A watched directory of Kubernetes YAML and JSON: what its files say, as differences. Files are
// written by editors, scripts and `kubectl`, so it takes none of them at its first word: nothing is
// deleted because a file or the directory is half written, unreadable or gone for a moment.

import type { FSWatcher } from "node:fs";
import { watch } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { sameValue } from "../lib/equal.ts";
import { OperationError } from "../lib/operation-error.ts";
import { compareBytes } from "../lib/order.ts";
import type { Issue } from "../model/issue.ts";
import { compareIssues, issue } from "../model/issue.ts";
import type { ObjectChange } from "../model/objects.ts";
import { isObjectFile, unreadable } from "./file-objects.ts";
import { InputError } from "./input-error.ts";
import { GivenObjects } from "./given-objects.ts";
import type { FileVersion, Stamp } from "./watched-file.ts";
import { isSameStamp, problemOf, readVersion, stampOf } from "./watched-file.ts";

export interface DirectoryOptions {
  /** Its *.yaml, *.yml and *.json are read, not deeper. */
  readonly path: string;
  /** Differences only; `value` undefined and not refused: the object is gone. */
  onChanges(changes: readonly ObjectChange[]): void;
  /** All issues of the directory now, sorted, whenever they differ; those in changes are not. */
  onIssues(issues: readonly Issue[]): void;
  /** For so long a file or the directory must be quiet before it is read. */
  readonly debounceMs?: number;
}

export interface DirectoryWatch {
  /** The first complete list has been given. Not before the directory is there. */
  readonly synced: Promise<void>;
  /** Nothing is called afterwards. */
  close(): Promise<void>;
}

const DEBOUNCE_MS = 50;
/** What is never quiet is read after so long all the same. */
const UNQUIET_MAX_MS = 2_000;
/** A look without an event: file systems that tell none, and links to other directories. */
const RESCAN_MS = 10_000;
/** While the directory is not there. */
const ABSENT_MS = 1_000;

/** Throws OperationError where it cannot be read now, which is most likely a wrong path. */
export async function checkDirectory(path: string): Promise<void> {
  try {
    await readdir(path);
  } catch (cause) {
    const { code = "EIO" } = cause as NodeJS.ErrnoException;
    throw new OperationError({ code, op: "readdir", target: path, cause });
  }
}

/** Watches until it is closed. Nothing that the directory does is an error. */
export function watchDirectory(options: DirectoryOptions): DirectoryWatch {
  const directory = new WatchedDirectory(options);
  directory.scanIn(0);
  return directory;
}

class WatchedDirectory implements DirectoryWatch {
  readonly synced: Promise<void>;
  readonly #options: DirectoryOptions;
  readonly #quietMs: number;
  #setSynced: () => void = () => undefined;
  /** By path: what is in force of each file. */
  #files: ReadonlyMap<string, FileVersion> = new Map();
  readonly #given = new GivenObjects();
  #issues: readonly Issue[] = [];
  #watcher: FSWatcher | undefined;
  #watchedInode: bigint | undefined;
  #timer: NodeJS.Timeout | undefined;
  #scanning: Promise<void> | undefined;
  /** Something happened since the running scan began. */
  #again = false;
  #unquietSince: number | undefined;
  #closed = false;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#quietMs = options.debounceMs ?? DEBOUNCE_MS;
    this.synced = new Promise((resolve) => (this.#setSynced = resolve));
  }

  scanIn(delayMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.#scanning = this.#scan()), delayMs);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unwatch();
    await this.#scanning;
  }

  async #scan(): Promise<void> {
    this.#again = false;
    const nextMs = await this.#scanOnce();
    this.#scanning = undefined;
    if (!this.#closed) this.scanIn(this.#again ? this.#quietMs : nextMs);
  }

  /** Reads what changed; gives when to look again. */
  async #scanOnce(): Promise<number> {
    try {
      const stamp = await stampOf(this.#options.path);
      // Before its list is read, so that nothing is between the list and its events.
      const deaf = this.#watch(stamp);
      const stamps = await this.#stamps();
      const changed = [...stamps].filter(([file, found]) => !this.#has(file, found));
      const fresh = [stamp, ...changed.map(([, found]) => found)];
      const quiet = fresh.every((one) => this.#isQuiet(one));
      if (!this.#mayTake(quiet)) return this.#quietMs;
      const files = await this.#read(stamps);
      if (files === undefined) return this.#quietMs;
      this.#files = files;
      this.#give([...[...files.values()].flatMap(({ issues }) => issues), ...deaf]);
      this.#setSynced();
      return RESCAN_MS;
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      this.#unwatch();
      this.#give([this.#absent(error)]);
      return ABSENT_MS;
    }
  }

  /** True if what was seen may count: it was quiet, or has been unquiet for too long. */
  #mayTake(quiet: boolean): boolean {
    const now = performance.now();
    if (quiet) {
      this.#unquietSince = undefined;
      return true;
    }
    this.#unquietSince ??= now;
    if (now - this.#unquietSince < UNQUIET_MAX_MS) return false;
    this.#unquietSince = undefined;
    return true;
  }

  /** Every file that is there, by path. */
  async #stamps(): Promise<ReadonlyMap<string, Stamp>> {
    const { path } = this.#options;
    const names = await readdir(path).catch((error: unknown) => {
      throw unreadable(path, error);
    });
    const stamps = new Map<string, Stamp>();
    for (const name of names.filter(isObjectFile).sort(compareBytes)) {
      const file = join(path, name);
      // Gone since it was listed.
      const stamp = await stampOf(file).catch(() => undefined);
      if (stamp !== undefined && !stamp.directory) stamps.set(file, stamp);
    }
    return stamps;
  }

  /** Every file's objects; those that did not change as they were. Undefined: one changed now. */
  async #read(
    stamps: ReadonlyMap<string, Stamp>,
  ): Promise<ReadonlyMap<string, FileVersion> | undefined> {
    const files = new Map<string, FileVersion>();
    for (const [file, stamp] of stamps) {
      const before = this.#files.get(file);
      if (before !== undefined && this.#has(file, stamp)) {
        files.set(file, before);
        continue;
      }
      files.set(file, await readVersion(file, { stamp, before }));
      const after = await stampOf(file).catch(() => undefined);
      if (after === undefined || !isSameStamp(after, stamp)) return undefined;
    }
    return files;
  }

  #has(file: string, stamp: Stamp): boolean {
    const before = this.#files.get(file);
    return before !== undefined && isSameStamp(before.stamp, stamp);
  }

  /** True if nothing was written for a while. A time to come says nothing. */
  #isQuiet({ mtimeNs }: Stamp): boolean {
    const ageMs = Date.now() - Number(mtimeNs / 1_000_000n);
    return ageMs < 0 || ageMs >= this.#quietMs;
  }

  #give(issues: readonly Issue[]): void {
    if (this.#closed) return;
    const changes = this.#given.replace([...this.#files.values()].flatMap((file) => file.objects));
    const all = [...issues, ...this.#given.issues].sort(compareIssues);
    const told = sameValue(all, this.#issues);
    this.#issues = all;
    if (changes.length > 0) this.#options.onChanges(changes);
    if (!told) this.#options.onIssues(all);
  }

  #absent(error: InputError): Issue {
    const consequence = this.#files.size > 0 ? "; its last objects stay in force" : "";
    const { object, message } = problemOf(error, this.#options.path);
    return issue("UnreadableFile", { object, path: "" }, message + consequence);
  }

  /** Listens to the directory that is there now; an issue if that cannot be. */
  #watch({ inode }: Stamp): Issue[] {
    if (this.#watcher !== undefined && this.#watchedInode === inode) return [];
    this.#unwatch();
    const { path } = this.#options;
    try {
      this.#watcher = watch(path, () => this.#event());
    } catch (error) {
      const { message } = error as Error;
      const consequence = `changes are seen only every ${RESCAN_MS / 1000} s`;
      return [issue("UnreadableFile", { object: path, path: "" }, `${message}; ${consequence}`)];
    }
    this.#watchedInode = inode;
    this.#watcher.on("error", () => {
      this.#unwatch();
      this.#event();
    });
    return [];
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
  }

  #event(): void {
    if (this.#closed || this.#again) return;
    this.#again = true;
    if (this.#scanning === undefined) this.scanIn(this.#quietMs);
  }
}
