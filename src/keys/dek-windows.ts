import type { Clock } from '../clock.ts'
import type { Dek } from './dek.ts'
import type { DekWindow } from './dek-window.ts'
import { type CreateDek, DomainKeys, type DomainServices } from './domain-keys.ts'
import type { KeyInUse, KeyLifeListener, KeyScope, RetiredKey } from './running-keys.ts'
import type { WindowPolicy } from './window-policy.ts'

const NEVER_USED = { firstUsedAtMs: null, lastUsedAtMs: null, messages: 0, bytes: 0 }

/** What windows are made of. */
export interface WindowServices {
  readonly createDek: CreateDek
  readonly policy: WindowPolicy
  /** Most DEKs that may be in memory before windows of quiet domains are ended for new ones. */
  readonly deksMax: number
  readonly clock: Clock
  readonly lives: KeyLifeListener
  /** See {@link DomainServices.onRefused}. */
  onRefused(keyDomain: string, error: unknown): void
  readonly random?: () => number
}

/** How much one leaked DEK of this process would reveal now, by the DEK for which it is most. */
export interface Exposure {
  readonly messages: number
  readonly bytes: number
  readonly ageMs: number
  /** The largest share of a hard limit that any DEK has used, from 0 to 1. */
  readonly share: number
  /** DEKs whose bytes are in memory because messages were sealed under them. */
  readonly deks: number
}

/**
 * The windows of all key domains of this process. A window begins when its first segment asks for it
 * and turns when a limit is reached (domain-keys.ts). Segments that are still open under an ended
 * window keep its DEK alive; the last of them to be sealed wipes it, and the key is retired.
 *
 * DEKs in memory are budgeted: one that is made beyond the budget ends the window of the domain that
 * was asked for longest ago. The bound is soft by the segments that are still open under those, and
 * it stalls nobody: with nothing to end, the DEK is made all the same.
 */
export class DekWindows {
  readonly #services: WindowServices
  readonly #domainServices: DomainServices
  readonly #domains = new Map<string, DomainKeys>()
  /** Windows whose DEK is not wiped yet, with what resolves when it is. */
  readonly #live = new Map<DekWindow, Promise<RetiredKey>>()
  /** DEKs in memory, being made, made ahead or in windows. */
  #deks = 0

  constructor(services: WindowServices) {
    this.#services = services
    const { policy, clock, lives } = services
    const createDek: CreateDek = (...asked) => this.#createWithin(...asked)
    this.#domainServices = {
      ...{ createDek, policy, clock, random: services.random ?? Math.random },
      onFirstUse: ({ dek }) =>
        lives.firstUsed(dek.record.dekId, dek.record.keyDomain, clock.nowMs()),
      onTurn: (window) => this.#keep(window),
      onUnused: ({ record: { dekId, keyDomain } }) => {
        this.#deks--
        lives.retired({ dekId, keyDomain, ...NEVER_USED }, 'never used')
      },
      onRefused: (keyDomain, error) => services.onRefused(keyDomain, error),
    }
  }

  /**
   * The window of `keyDomain` with room for `messages` frames of `bytes` in all. Rejects as the
   * making of the DEK does; the next call tries again then. Whoever keeps the DEK retains it.
   */
  take(keyDomain: string, bytes: number, messages = 1): Promise<DekWindow> {
    return this.#domain(keyDomain).take(bytes, messages)
  }

  /** Makes the next DEK ready when the window is used far enough. Cheap; call it often. */
  prepare(keyDomain: string): void {
    this.#domains.get(keyDomain)?.prepare()
  }

  /**
   * Messages of the domain come: makes a DEK where there is none. Waits for nothing, so that those of many
   * domains are made at once; within the budget, since beyond it each would end a window that is wanted.
   */
  begin(keyDomain: string): void {
    if (this.#deks < this.#services.deksMax) this.#domain(keyDomain).prepare(1)
  }

  /** Ends what is over though nobody asks for more. Call it now and then. */
  sweep(): void {
    for (const [keyDomain, keys] of this.#domains) {
      if (keys.sweep()) this.#domains.delete(keyDomain)
    }
  }

  /** The windows that are open now. */
  inUse(): readonly KeyInUse[] {
    const windows = [...this.#domains.values()].map(({ current }) => current)
    return windows.filter((window) => window !== null).map((window) => window.inUse())
  }

  /** What a leak of one DEK would reveal now. */
  exposure(): Exposure {
    const nowMs = this.#services.clock.elapsedMs()
    const exposure = { messages: 0, bytes: 0, ageMs: 0, share: 0, deks: this.#live.size }
    for (const window of this.#live.keys()) {
      const { messages, bytes } = window.inUse()
      if (messages === 0) continue
      exposure.messages = Math.max(exposure.messages, messages)
      exposure.bytes = Math.max(exposure.bytes, bytes)
      exposure.ageMs = Math.max(exposure.ageMs, nowMs - window.startedAtMs)
      if (!window.isEnded) exposure.share = Math.max(exposure.share, window.exposedShare(nowMs))
    }
    return exposure
  }

  /** DEKs that sealed and whose bytes are in memory yet. */
  get held(): number {
    return this.#live.size
  }

  /**
   * Ends the windows in scope and drops what was made ahead for their domains. Resolves when their
   * DEKs are wiped, which waits for the segments under them: whoever holds these closes them.
   */
  rotate(scope: KeyScope, reason: string): Promise<readonly RetiredKey[]> {
    const isMeant = ({ dek: { record } }: DekWindow) =>
      (scope.dekId === null || scope.dekId === record.dekId) &&
      (scope.keyDomain === null || scope.keyDomain === record.keyDomain)
    const wiped = [...this.#live].filter(([window]) => isMeant(window)).map(([, gone]) => gone)
    for (const [keyDomain, keys] of this.#domains) {
      if (scope.keyDomain !== null && scope.keyDomain !== keyDomain) continue
      if (scope.dekId === null) keys.rotate(reason)
      else if (keys.retire(scope.dekId, reason)) {
        wiped.push(Promise.resolve({ dekId: scope.dekId, keyDomain, ...NEVER_USED }))
      }
    }
    return Promise.all(wiped)
  }

  /** Lets go of every DEK; resolves when that is done. Segments that still hold one keep theirs. */
  async close(): Promise<void> {
    for (const keys of this.#domains.values()) keys.close()
    this.#domains.clear()
    await new Promise((resolve) => setImmediate(resolve))
  }

  #domain(keyDomain: string): DomainKeys {
    let keys = this.#domains.get(keyDomain)
    if (keys === undefined) {
      keys = new DomainKeys(keyDomain, this.#domainServices)
      this.#domains.set(keyDomain, keys)
    }
    return keys
  }

  /** Counts what has arrived: a DEK that the KMS may never give must end nobody's window. */
  async #createWithin(...asked: Parameters<CreateDek>): Promise<Dek> {
    const dek = await this.#services.createDek(...asked)
    if (this.#deks++ >= this.#services.deksMax) this.#quietestBeside(asked[0])?.rotate('idle')
    return dek
  }

  #quietestBeside(keyDomain: string): DomainKeys | null {
    let quietest: DomainKeys | null = null
    for (const [name, keys] of this.#domains) {
      if (name === keyDomain || !keys.canRest) continue
      if (quietest === null || keys.lastAskedAtMs < quietest.lastAskedAtMs) quietest = keys
    }
    return quietest
  }

  #keep(window: DekWindow): void {
    const wiped = Promise.withResolvers<RetiredKey>()
    this.#live.set(window, wiped.promise)
    window.dek.onWiped(() => {
      this.#live.delete(window)
      this.#deks--
      const retired = window.retired()
      this.#services.lives.retired(retired, window.endReason)
      wiped.resolve(retired)
    })
  }
}
