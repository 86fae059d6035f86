import type { Clock } from '../clock.ts'
import { SealError } from '../errors.ts'
import type { Dek } from './dek.ts'
import { DekWindow, type WindowEnd } from './dek-window.ts'
import type { WindowPolicy } from './window-policy.ts'

/**
 * Resolves to a DEK whose wrap is durable. Rejects only with what no waiting mends; `onTrouble` hears
 * of every try that failed and is made again.
 */
export type CreateDek = (keyDomain: string, onTrouble: () => void) => Promise<Dek>

/** What all domains of a process share. */
export interface DomainServices {
  readonly createDek: CreateDek
  readonly policy: WindowPolicy
  readonly clock: Clock
  /** From 0 to 1, for jitter. */
  readonly random: () => number
  onFirstUse(window: DekWindow): void
  onTurn(window: DekWindow): void
  /** A DEK was dropped before any message was sealed under it; its holder has let go already. */
  onUnused(dek: Dek): void
  /** A DEK could not be made, and no waiting mends it; the window at hand goes on to its hard limits. */
  onRefused(keyDomain: string, error: unknown): void
}

/**
 * The share of a window after which the next DEK is made, so that a turn never waits. Spread, so
 * that a fleet whose windows began together does not ask the KMS at the same moment.
 */
const PREPARE_FROM = 0.6
const PREPARE_SPREAD = 0.2

/**
 * A window that ends within this time, at the pace so far, wants its next DEK now: making one takes
 * a KMS call and two durable writes, on a busy machine some hundred milliseconds.
 */
const LEAD_MS = 1_000

/** A domain asked for beyond this share of a window will want the next DEK too; one message now and then will not. */
const BUSY_FROM = 0.25

/** DEKs of one domain that are made at a time when several are wanted. */
const MAKING_MAX = 8

/** A DEK under way for so long is late, though no try has failed: the KMS does not answer. */
const LATE_AFTER_MS = 2_000

/** A refusal is not asked for again by every batch. */
const REFUSED_PAUSE_MS = 5_000

/**
 * The DEKs of one key domain.
 *
 * One window is current. DEKs that were made ahead wait in line behind it: one from some 70 % of the
 * window on, or from a second before its end, beside the reserve that the policy asks for. `take`
 * turns to the next in line when the current window has no room. When the line is empty it waits for
 * the next one, unless that is late: a try to make it has failed, or takes very long. Then the window
 * is stretched, and only at its hard limits `take` waits for as long as it takes. As many DEKs are
 * under way as are wanted and not in line yet, so callers that need one at the same time share it.
 *
 * `rotate` ends the current window and starts a new era: DEKs made or asked for before it are dropped
 * when they arrive.
 */
export class DomainKeys {
  readonly #keyDomain: string
  readonly #services: DomainServices
  readonly #ready: Dek[] = []
  /** Tokens of DEKs under way that belong to this era. */
  #making = new Set<symbol>()
  #waiting = 0
  #changed = Promise.withResolvers<void>()
  #current: DekWindow | null = null
  #prepareAt = 0
  #pausedUntilMs = 0
  #lastAskedAtMs = 0
  /** The next DEK cannot be had now: refused, or on tries that fail. */
  #isLate = false
  #makingSinceMs = 0
  #isClosed = false

  constructor(keyDomain: string, services: DomainServices) {
    this.#keyDomain = keyDomain
    this.#services = services
  }

  get current(): DekWindow | null {
    return this.#current
  }

  /** Monotonic time at which somebody asked last. */
  get lastAskedAtMs(): number {
    return this.#lastAskedAtMs
  }

  /** Whether it has DEKs that it could do without for now: nobody waits for one. */
  get canRest(): boolean {
    return this.#waiting === 0 && (this.#current !== null || this.#ready.length > 0)
  }

  /** The window with room for `messages` frames of `bytes`. Rejects as the making of a DEK does. */
  async take(bytes: number, messages = 1): Promise<DekWindow> {
    const { clock } = this.#services
    for (;;) {
      if (this.#isClosed) throw new SealError('SEAL_STOPPED', 'no more data keys: stopping')
      const nowMs = clock.elapsedMs()
      this.#lastAskedAtMs = nowMs
      if (this.#current?.hasRoom(bytes, nowMs, messages)) return this.#current
      const next = this.#ready.shift()
      if (next !== undefined) this.#turn(next, nowMs)
      else if (this.#current?.couldStretch(bytes, nowMs, messages))
        await this.#nextOrStretch(this.#current, nowMs)
      else await this.#oneMore()
    }
  }

  /** Makes DEKs ahead when the window is used far enough, `first` where there is none. Cheap; call it often. */
  prepare(first = 0): void {
    this.#lastAskedAtMs = this.#services.clock.elapsedMs()
    const isNone = this.#current === null && this.#ready.length === 0
    this.#fillUnlessPaused(this.#lastAskedAtMs, isNone ? first : 0)
  }

  /**
   * Does what nobody asks for: makes the next DEK for a domain whose messages come in bursts, ends a
   * window past its age, drops DEKs made ahead for a domain that has gone quiet. True when the domain
   * holds nothing any more.
   */
  sweep(): boolean {
    const { clock, policy } = this.#services
    const nowMs = clock.elapsedMs()
    const startedAtMs = this.#current?.startedAtMs ?? nowMs
    const ageMs = nowMs - startedAtMs
    if (this.#lastAskedAtMs - startedAtMs >= policy.soft.ageMs * BUSY_FROM) {
      this.#fillUnlessPaused(nowMs)
    }
    const isUnderWay = this.#making.size > 0 || this.#isLate
    const isAwaited = isUnderWay && ageMs < policy.hard.ageMs
    if (this.#current !== null && ageMs >= policy.soft.ageMs && !isAwaited) this.#end('age')
    const isQuiet = nowMs - this.#lastAskedAtMs >= policy.soft.ageMs
    if (this.#current === null && isQuiet && this.#waiting === 0) this.#dropReady()
    return this.#current === null && this.#ready.length === 0 && this.#making.size === 0
  }

  /** Ends the current window; the next DEK is one that is asked for after this call. */
  rotate(reason: string): void {
    this.#dropReady()
    this.#making = new Set()
    this.#pausedUntilMs = 0
    this.#end(reason)
    // Who waited for the era before asks anew.
    this.#wake()
  }

  /**
   * Sees that nothing more is sealed under one DEK: ends its window, or drops it where it is in line.
   * It may be under way too, and nobody knows which that one will be; so those are dropped. True
   * when it was in line.
   */
  retire(dekId: string, reason: string): boolean {
    const isIt = (dek: Dek | undefined) => dek?.record.dekId === dekId
    this.#making = new Set()
    const at = this.#ready.findIndex(isIt)
    for (const dek of at < 0 ? [] : this.#ready.splice(at, 1)) this.#drop(dek)
    if (isIt(this.#current?.dek)) this.#end(reason)
    this.#wake()
    return at >= 0
  }

  /** Lets go of every DEK; those under way are dropped as they arrive. */
  close(): void {
    this.#isClosed = true
    this.rotate('closed')
  }

  #turn(next: Dek, nowMs: number): void {
    const { policy, clock, random, onFirstUse, onTurn } = this.#services
    this.#end(this.#current?.reached(nowMs) ?? 'bytes')
    this.#current = new DekWindow(next, policy, {
      clock,
      hasSuccessor: () => this.#ready.length > 0,
      onFirstUse,
    })
    this.#prepareAt = PREPARE_FROM + PREPARE_SPREAD * random()
    onTurn(this.#current)
  }

  #end(reason: WindowEnd): void {
    const ended = this.#current
    if (ended === null) return
    this.#current = null
    ended.end(reason)
    // Somebody may have been given it in this very turn of the event loop and retain it yet.
    setImmediate(() => ended.dek.release())
  }

  /** Waits for the next DEK; when it is late, the window at hand goes on without it. */
  async #nextOrStretch(window: DekWindow, nowMs: number): Promise<void> {
    // Asked for here at the latest, so that there is a time from which on it may be late.
    if (this.#making.size === 0) this.#fillUnlessPaused(nowMs, 1)
    const leftMs = this.#makingSinceMs + LATE_AFTER_MS - nowMs
    if (!this.#isLate && leftMs > 0) {
      const over = new AbortController()
      const moment = this.#services.clock.sleep(leftMs, over.signal)
      // A refusal was told already, and is nobody's failure before the hard limits.
      await this.#oneMore(moment).catch(() => {})
      over.abort()
      if (!this.#isLate && this.#services.clock.elapsedMs() < nowMs + leftMs) return
    }
    if (this.#ready.length === 0) window.stretch()
  }

  /** Resolves when the line may have grown, or with `orElse`. */
  async #oneMore(orElse?: Promise<void>): Promise<void> {
    this.#waiting++
    try {
      this.#fill()
      const changed = this.#changed.promise
      await (orElse === undefined ? changed : Promise.race([changed, orElse]))
    } finally {
      this.#waiting--
    }
  }

  #fillUnlessPaused(nowMs: number, atLeast = 0): void {
    if (nowMs >= this.#pausedUntilMs) this.#fill(atLeast)
  }

  #fill(atLeast = 0): void {
    if (this.#isClosed) return
    const isNextWanted = this.#isNextWanted()
    const reserve =
      this.#current === null && this.#waiting === 0 ? 0 : this.#services.policy.reserve
    const asked = Math.ceil(this.#waiting / this.#services.policy.soft.messagesMax)
    const wanted = Math.max(isNextWanted ? 1 : 0, asked, atLeast) + reserve
    const missing = wanted - this.#ready.length - this.#making.size
    const free = MAKING_MAX - this.#making.size
    for (let i = Math.min(missing, free); i > 0; i--) this.#make()
  }

  #isNextWanted(): boolean {
    if (this.#current === null) return false
    const nowMs = this.#services.clock.elapsedMs()
    const isFarUsed = this.#current.usedShare(nowMs) >= this.#prepareAt
    return isFarUsed || this.#current.leftMs(nowMs) <= LEAD_MS
  }

  #make(): void {
    const token = Symbol(this.#keyDomain)
    const era = this.#making
    if (era.size === 0) this.#makingSinceMs = this.#services.clock.elapsedMs()
    era.add(token)
    const isOurs = () => era === this.#making && !this.#isClosed
    const onTrouble = () => {
      if (!isOurs() || this.#isLate) return
      this.#isLate = true
      this.#wake()
    }
    this.#services.createDek(this.#keyDomain, onTrouble).then(
      (dek) => {
        era.delete(token)
        if (!isOurs()) return this.#drop(dek)
        this.#isLate = false
        this.#ready.push(dek)
        this.#wake()
      },
      (error: unknown) => {
        era.delete(token)
        if (!isOurs()) return
        const { clock, onRefused } = this.#services
        this.#isLate = true
        this.#pausedUntilMs = clock.elapsedMs() + REFUSED_PAUSE_MS
        onRefused(this.#keyDomain, error)
        this.#wake(error)
      },
    )
  }

  #wake(error?: unknown): void {
    const changed = this.#changed
    this.#changed = Promise.withResolvers()
    // Whether anybody waits or not, it counts as handled.
    changed.promise.catch(() => {})
    if (error === undefined) changed.resolve()
    else changed.reject(error)
  }

  #dropReady(): void {
    for (const dek of this.#ready.splice(0)) this.#drop(dek)
  }

  #drop(dek: Dek): void {
    dek.release()
    this.#services.onUnused(dek)
  }
}
