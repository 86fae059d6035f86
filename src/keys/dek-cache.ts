import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import type { DecodedMetadata } from '../format/segment-metadata.ts'
import type { Dek } from './dek.ts'
import { type DekSources, unwrapDek } from './unwrap-dek.ts'

/** What a reader's key cache may hold, and which KEKs it may ask the KMS for. */
export interface DekCacheOptions {
  readonly allowedKekIds: readonly string[]
  readonly entriesMax: number
  readonly ttlMs: number
}

interface Entry {
  readonly dek: Promise<Dek>
  readonly expiresAtMs: number
}

/**
 * Unwrapped DEKs of a reader. The key of an entry covers all that its segment says of the DEK, the
 * wrap among it, whether that wrap opened or the key directory had to be asked: a cached DEK is
 * never handed out for a wrap that was not itself asked for. Failures are not kept. An entry whose
 * time is over is wiped then, whether anybody asks again or not.
 */
export class DekCache {
  readonly #sources: DekSources
  readonly #clock: Clock
  readonly #options: DekCacheOptions
  readonly #entries = new Map<string, Entry>()
  /** Ends the wait for the entry that expires first; null while nothing is waited for. */
  #waiting: AbortController | null = null
  #isClosed = false

  constructor(sources: DekSources, clock: Clock, options: DekCacheOptions) {
    this.#sources = sources
    this.#clock = clock
    this.#options = options
  }

  /**
   * The DEK of a segment, with a share of it for the caller, who releases it. Throws what
   * {@link unwrapDek} does, and SEAL_STOPPED once it is closed.
   */
  async dekOf(metadata: DecodedMetadata): Promise<Dek> {
    // A key that came in after the last wipe would stay until its time is over.
    if (this.#isClosed) throw new SealError('SEAL_STOPPED', 'the reader is closed')
    const key = entryKey(metadata)
    const found = this.#entries.get(key)
    if (found !== undefined && found.expiresAtMs > this.#clock.elapsedMs()) {
      // Moves it to the young end: Map keeps the order of insertion.
      this.#entries.delete(key)
      this.#entries.set(key, found)
      return shared(found)
    }
    if (found !== undefined) this.#drop(key, found)
    const dek = unwrapDek(this.#sources, this.#options.allowedKekIds, metadata)
    const entry = { dek, expiresAtMs: this.#clock.elapsedMs() + this.#options.ttlMs }
    this.#entries.set(key, entry)
    dek.catch(() => this.#entries.get(key) === entry && this.#entries.delete(key))
    const share = shared(entry)
    this.#evict()
    this.#await()
    return share
  }

  /** Drops every key; each is wiped as soon as nobody opens anything with it. */
  wipe(): void {
    this.#waiting?.abort()
    this.#waiting = null
    for (const [key, entry] of this.#entries) this.#drop(key, entry)
  }

  /** Drops every key and takes no more. */
  close(): void {
    this.#isClosed = true
    this.wipe()
  }

  /** Wakes when the first entry expires; what comes in meanwhile expires later. */
  #await(): void {
    if (this.#waiting !== null || this.#entries.size === 0) return
    const over = new AbortController()
    this.#waiting = over
    const ends = [...this.#entries.values()].map(({ expiresAtMs }) => expiresAtMs)
    const delayMs = Math.max(0, Math.min(...ends) - this.#clock.elapsedMs())
    void this.#clock.doze(delayMs, over.signal).then(() => {
      if (over.signal.aborted) return
      this.#waiting = null
      const nowMs = this.#clock.elapsedMs()
      for (const [key, entry] of this.#entries)
        if (entry.expiresAtMs <= nowMs) this.#drop(key, entry)
      this.#await()
    })
  }

  #evict(): void {
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size <= this.#options.entriesMax) return
      this.#drop(key, entry)
    }
  }

  #drop(key: string, entry: Entry): void {
    this.#entries.delete(key)
    entry.dek.then((dek) => dek.release()).catch(() => {})
  }
}

/**
 * A share for a caller. Asked for at once, so that it is taken before a later drop of the entry
 * lets go of the cache's own.
 */
function shared(entry: Entry): Promise<Dek> {
  return entry.dek.then((dek) => dek.retain())
}

function entryKey(metadata: DecodedMetadata): string {
  const wrap = createHash('sha256').update(metadata.wrapped).digest('base64')
  return JSON.stringify([metadata.kekId, metadata.header.dekId, metadata.keyDomain, wrap])
}
