import { hash } from 'node:crypto'
import type { Message } from '../../src/index.ts'
import type { DemoMessage } from './load.ts'

const DIGEST_BYTES = 32
const ENTRIES_MIN = 1024
const NULL_LENGTH = 0xffff_ffff
const NAMED_MAX = 10

/** What of a message must come back. */
export type Content = Pick<Message, 'key' | 'value' | 'headers' | 'timestampMs'>

/** What the comparison found. All is well when `seen` is `expected` and the lists are empty. */
export interface LedgerVerdict {
  readonly expected: number
  /** Messages that came back, each counted once. */
  readonly seen: number
  /** Places like `mails/2@17`; the first few of each kind. */
  readonly missing: readonly string[]
  readonly doubled: readonly string[]
  readonly unequal: readonly string[]
}

/**
 * Remembers of every produced message where it stands and a SHA-256 over its key, value, headers
 * and timestamp, and ticks off what comes back. 33 bytes a message, whatever their size.
 */
export class Ledger {
  readonly #pages = new Map<string, Page>()
  readonly #doubled: string[] = []
  readonly #unequal: string[] = []
  #expected = 0
  #seen = 0

  /** Messages that were recorded. */
  get expected(): number {
    return this.#expected
  }

  /** A message was produced at this place. */
  record(topic: string, partition: number, offset: number, message: DemoMessage): void {
    const content = {
      ...message,
      headers: message.headers.map(([name, value]) => [Buffer.from(name), value] as const),
      timestampMs: BigInt(message.timestampMs),
    }
    const key = `${topic}/${partition}`
    const page = this.#pages.get(key) ?? new Page()
    this.#pages.set(key, page)
    page.write(offset, digestOf(content))
    this.#expected += 1
  }

  /** A message came back. A place where nothing was produced counts as unequal. */
  check(message: Message): void {
    const page = this.#pages.get(`${message.topic}/${message.partition}`)
    const state = page?.tick(message.offset, digestOf(message)) ?? 'unequal'
    const place = `${message.topic}/${message.partition}@${message.offset}`
    if (state === 'doubled') this.#doubled.push(place)
    else this.#seen += 1
    if (state === 'unequal') this.#unequal.push(place)
  }

  /** Whether every message came back at least once, for a reader that wonders when to stop. */
  get isComplete(): boolean {
    return this.#seen >= this.#expected
  }

  verdict(): LedgerVerdict {
    const missing: string[] = []
    for (const [key, page] of this.#pages) {
      for (const offset of page.unticked()) {
        missing.push(`${key}@${offset}`)
        if (missing.length === NAMED_MAX) break
      }
    }
    return {
      expected: this.#expected,
      seen: this.#seen,
      missing: missing.slice(0, NAMED_MAX),
      doubled: this.#doubled.slice(0, NAMED_MAX),
      unequal: this.#unequal.slice(0, NAMED_MAX),
    }
  }
}

/** Whether every message came back exactly once and unchanged. */
export function isFaultless({ expected, seen, missing, doubled, unequal }: LedgerVerdict): boolean {
  return expected === seen && missing.length + doubled.length + unequal.length === 0
}

/** One partition: digests by offset, and for each offset 0 nothing, 1 produced, 2 came back. */
class Page {
  #digests = Buffer.alloc(ENTRIES_MIN * DIGEST_BYTES)
  #states = new Uint8Array(ENTRIES_MIN)

  write(offset: number, digest: Buffer): void {
    if (offset >= this.#states.length) this.#grow(offset + 1)
    digest.copy(this.#digests, offset * DIGEST_BYTES)
    this.#states[offset] = 1
  }

  tick(offset: number, digest: Buffer): 'equal' | 'unequal' | 'doubled' {
    const state = this.#states[offset] ?? 0
    if (state === 2) return 'doubled'
    if (state === 0) return 'unequal'
    this.#states[offset] = 2
    const at = offset * DIGEST_BYTES
    return digest.equals(this.#digests.subarray(at, at + DIGEST_BYTES)) ? 'equal' : 'unequal'
  }

  *unticked(): Iterable<number> {
    for (let at = this.#states.indexOf(1); at !== -1; at = this.#states.indexOf(1, at + 1)) yield at
  }

  #grow(entriesMin: number): void {
    const entries = Math.max(entriesMin, this.#states.length * 2)
    const digests = Buffer.alloc(entries * DIGEST_BYTES)
    this.#digests.copy(digests)
    this.#digests = digests
    const states = new Uint8Array(entries)
    states.set(this.#states)
    this.#states = states
  }
}

/** SHA-256. Lengths stand before bytes, so that null and empty differ and no two contents run together. */
export function digestOf({ key, value, headers, timestampMs }: Content): Buffer {
  const fixed = Buffer.alloc(8)
  fixed.writeBigInt64BE(timestampMs)
  const pieces: Uint8Array[] = [fixed]
  const add = (bytes: Uint8Array | null) => {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(bytes?.length ?? NULL_LENGTH)
    pieces.push(length)
    if (bytes !== null) pieces.push(bytes)
  }
  add(key)
  add(value)
  for (const [name, header] of headers) {
    add(name)
    add(header)
  }
  return hash('sha256', Buffer.concat(pieces), 'buffer')
}
