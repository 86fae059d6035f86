import { createHash } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import type { DecodedMetadata } from '../format/segment-metadata.ts'
import { Dek } from './dek.ts'
import { isSameKek } from './kek-name.ts'
import type { Unwrapper } from './kms.ts'
import { kmsContextOf } from './kms-context.ts'

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
 * Unwrapped DEKs of a reader. The key of an entry covers all that the unwrapping depended on, so a
 * cached DEK is never handed out for a wrap that was not itself unwrapped. Failures are not kept. An
 * entry whose time is over is wiped then, whether anybody asks again or not.
 */
export class DekCache {
  readonly #kms: Unwrapper
  readonly #clock: Clock
  readonly #options: DekCacheOptions
  readonly #entries = new Map<string, Entry>()
  /** Ends the wait for the entry that expires first; null while nothing is waited for. */
  #waiting: AbortController | null = null

  constructor(kms: Unwrapper, clock: Clock, options: DekCacheOptions) {
    this.#kms = kms
    this.#clock = clock
    this.#options = options
  }

  /**
   * The DEK of a segment, with a share of it for the caller, who releases it.
   * Throws SEAL_KEK_NOT_ALLOWED before the KMS is asked, and SEAL_KMS_*.
   */
  async dekOf(metadata: DecodedMetadata): Promise<Dek> {
    this.#refuseForeign(metadata.kekId)
    const key = entryKey(metadata)
    const found = this.#entries.get(key)
    if (found !== undefined && found.expiresAtMs > this.#clock.elapsedMs()) {
      // Moves it to the young end: Map keeps the order of insertion.
      this.#entries.delete(key)
      this.#entries.set(key, found)
      return shared(found)
    }
    if (found !== undefined) this.#drop(key, found)
    const dek = this.#unwrap(metadata)
    const entry = { dek, expiresAtMs: this.#clock.elapsedMs() + this.#options.ttlMs }
    this.#entries.set(key, entry)
    dek.catch(() => this.#entries.get(key) === entry && this.#entries.delete(key))
    const share = shared(entry)
    this.#evict()
    this.#await()
    return share
  }

  /** Drops every key. */
  close(): void {
    this.#waiting?.abort()
    for (const [key, entry] of this.#entries) this.#drop(key, entry)
  }

  #refuseForeign(kekId: string): void {
    if (this.#options.allowedKekIds.some((allowed) => isSameKek(allowed, kekId))) return
    throw new SealError(
      'SEAL_KEK_NOT_ALLOWED',
      `the data key is wrapped under ${kekId.slice(0, 200)}, which is not on the allow-list; add it to kms.allowedKeyIds if you trust it`,
    )
  }

  async #unwrap(metadata: DecodedMetadata): Promise<Dek> {
    const { kekId, wrapped, keyDomain, header } = metadata
    const context = kmsContextOf(header.dekId, keyDomain)
    const plaintext = await this.#kms.unwrap(kekId, wrapped, context)
    const { dekId, createdAtMs } = header
    return new Dek({ dekId, keyDomain, kekId, kekVersion: null, wrapped, createdAtMs }, plaintext)
  }

  /** Wakes when the first entry expires; what comes in meanwhile expires later. */
  #await(): void {
    if (this.#waiting !== null || this.#entries.size === 0) return
    const over = new AbortController()
    this.#waiting = over
    const ends = [...this.#entries.values()].map(({ expiresAtMs }) => expiresAtMs)
    const delayMs = Math.max(0, Math.min(...ends) - this.#clock.elapsedMs())
    void this.#clock.doze(delayMs, over.signal).then(() => {
      this.#waiting = null
      if (over.signal.aborted) return
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
