// A certificate authority of one test cluster, by openssl: who the API server is, and who asks it.

import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Paths of a certificate and its key. */
export interface Certificate {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  /** Of the files. */
  readonly file: string;
  /** Kubernetes takes CN for the user's name and O for the group. */
  readonly subject: string;
  /** Host names and addresses, as in `DNS:localhost`; a server must have some. */
  readonly alternatives?: readonly string[];
}

export class Authority {
  readonly #directory: string;
  readonly #self: Certificate;

  /** Makes the authority; its files lie in `directory`. */
  constructor(directory: string, name = "ca") {
    this.#directory = directory;
    this.#self = this.#paths(name);
    const { certificate, key } = this.#self;
    newKey(key);
    openssl("req", "-x509", "-new", "-key", key, "-subj", `/CN=${name}`, "-days", "30",
      "-addext", "keyUsage=critical,keyCertSign", "-out", certificate);
  }

  /** The path of its own certificate. */
  get certificate(): string {
    return this.#self.certificate;
  }

  /** A new certificate; one of the same file is replaced. */
  issue({ file, subject, alternatives }: Subject): Certificate {
    const { certificate, key } = this.#paths(file);
    const request = join(this.#directory, `${file}.csr`);
    newKey(key);
    const names = alternatives === undefined ? [] : [`subjectAltName=${alternatives.join()}`];
    openssl("req", "-new", "-key", key, "-subj", subject, "-out", request,
      ...names.flatMap((one) => ["-addext", one]));
    openssl("x509", "-req", "-in", request, "-copy_extensions", "copy", "-days", "30",
      "-CA", this.#self.certificate, "-CAkey", this.#self.key, "-out", certificate);
    return { certificate, key };
  }

  #paths(file: string): Certificate {
    return {
      certificate: join(this.#directory, `${file}.crt`),
      key: join(this.#directory, `${file}.key`),
    };
  }
}

function newKey(path: string): void {
  openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", path);
}

function openssl(...args: readonly string[]): void {
  execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
}
