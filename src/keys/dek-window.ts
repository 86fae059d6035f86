import type { Clock } from '../clock.ts'
import type { Dek } from './dek.ts'
import type { KeyInUse, RetiredKey } from './running-keys.ts'
import type { WindowLimits, WindowPolicy } from './window-policy.ts'

/** A smaller share of a window says nothing of its pace. */
const PACE_FROM = 0.05

/** What ended a window. */
export type WindowEnd = 'age' | 'messages' | 'bytes' | 'idle' | 'closed' | (string & {})

/** What a window asks of those who keep it. */
export interface WindowSurroundings {
  readonly clock: Clock
  /** Whether a next DEK is at hand: then the soft limits hold. */
  hasSuccessor(): boolean
  /** The first message is being packed. */
  onFirstUse(window: DekWindow): void
}

/**
 * One window: a DEK and what it has been used for so far.
 *
 *   open -> (stretched) -> ended
 *
 * Open until a soft limit is reached. When no next DEK can be had then, it is stretched: it goes on up
 * to the hard limits, never beyond, and only until a next DEK is at hand. So a slow or absent KMS
 * stalls nothing before the hard limits. The DEK outlives its window until the last segment under it
 * is sealed.
 */
export class DekWindow {
  readonly dek: Dek
  /** Monotonic. */
  readonly startedAtMs: number
  readonly #startedAtWallMs: number
  readonly #policy: Pick<WindowPolicy, 'soft' | 'hard'>
  readonly #around: WindowSurroundings
  #messages = 0
  #bytes = 0
  #firstUsedAtMs: number | null = null
  #lastUsedAtMs: number | null = null
  #isStretched = false
  #end: WindowEnd | null = null

  /** The window takes over the caller's share of the DEK. */
  constructor(
    dek: Dek,
    policy: Pick<WindowPolicy, 'soft' | 'hard'>,
    surroundings: WindowSurroundings,
  ) {
    this.dek = dek
    this.#policy = policy
    this.#around = surroundings
    this.startedAtMs = surroundings.clock.elapsedMs()
    this.#startedAtWallMs = surroundings.clock.nowMs()
  }

  /**
   * Whether `messages` more frames of `bytes` in all fit. What comes first always does: it must go
   * somewhere.
   */
  hasRoom(bytes: number, nowMs: number, messages = 1): boolean {
    if (this.#end !== null) return false
    const use = { bytes, messages }
    if (this.#fits(this.#policy.soft, use, nowMs)) return true
    const isStretched = this.#isStretched && !this.#around.hasSuccessor()
    return isStretched && this.#fits(this.#policy.hard, use, nowMs)
  }

  /** Whether stretching would make room for as much. */
  couldStretch(bytes: number, nowMs: number, messages = 1): boolean {
    return this.#end === null && this.#fits(this.#policy.hard, { bytes, messages }, nowMs)
  }

  /** Lets it go on to the hard limits as long as there is no next DEK. */
  stretch(): void {
    this.#isStretched = true
  }

  /** Counts `messages` frames of `bytes` in all. */
  spend(bytes: number, messages = 1): void {
    if (this.#messages === 0) {
      this.#firstUsedAtMs = this.#around.clock.nowMs()
      this.#around.onFirstUse(this)
    }
    this.#messages += messages
    this.#bytes += bytes
  }

  /** A segment with messages under the DEK was sealed, or given up, just now. */
  noteUse(): void {
    this.#lastUsedAtMs = this.#around.clock.nowMs()
  }

  /** Nothing more goes in. The first reason stays. */
  end(reason: WindowEnd): void {
    this.#end ??= reason
  }

  get isEnded(): boolean {
    return this.#end !== null
  }

  get endReason(): WindowEnd {
    return this.#end ?? 'closed'
  }

  /** Monotonic time at which segments under it are closed, seen from `nowMs`. */
  endsAtMs(nowMs: number): number {
    const softEndsAtMs = this.startedAtMs + this.#policy.soft.ageMs
    return nowMs < softEndsAtMs ? softEndsAtMs : this.startedAtMs + this.#policy.hard.ageMs
  }

  /** How much of the soft limits is used, from 0 on, by the limit that is nearest. */
  usedShare(nowMs: number): number {
    return this.#shareOf(this.#policy.soft, nowMs)
  }

  /** Time until a soft limit is reached, at the pace so far; infinite while that says nothing yet. */
  leftMs(nowMs: number): number {
    const used = this.usedShare(nowMs)
    if (used < PACE_FROM) return Number.POSITIVE_INFINITY
    return ((nowMs - this.startedAtMs) * (1 - used)) / used
  }

  /** How much of the hard limits is used, from 0 to 1. */
  exposedShare(nowMs: number): number {
    return this.#shareOf(this.#policy.hard, nowMs)
  }

  /** The soft limit that was reached first, or null. */
  reached(nowMs: number): WindowEnd | null {
    const { ageMs, messagesMax } = this.#policy.soft
    if (nowMs - this.startedAtMs >= ageMs) return 'age'
    if (this.#messages >= messagesMax) return 'messages'
    return null
  }

  /** What it is used for so far. */
  inUse(): KeyInUse {
    const { dekId, keyDomain, kekId, kekVersion } = this.dek.record
    const since = this.#startedAtWallMs
    const [messages, bytes] = [this.#messages, this.#bytes]
    return { dekId, keyDomain, kekId, kekVersion, since, messages, bytes }
  }

  /** What it was used for, once its DEK is wiped. */
  retired(): RetiredKey {
    const { dekId, keyDomain } = this.dek.record
    return {
      ...{ dekId, keyDomain, messages: this.#messages, bytes: this.#bytes },
      ...{ firstUsedAtMs: this.#firstUsedAtMs, lastUsedAtMs: this.#lastUsedAtMs },
    }
  }

  #fits(
    limits: WindowLimits,
    { bytes, messages }: { readonly bytes: number; readonly messages: number },
    nowMs: number,
  ): boolean {
    if (nowMs - this.startedAtMs >= limits.ageMs) return false
    if (this.#messages === 0) return true
    if (this.#messages + messages > limits.messagesMax) return false
    return this.#bytes + bytes <= limits.bytesMax
  }

  #shareOf(limits: WindowLimits, nowMs: number): number {
    return Math.max(
      (nowMs - this.startedAtMs) / limits.ageMs,
      this.#messages / limits.messagesMax,
      this.#bytes / limits.bytesMax,
    )
  }
}
