import type { Clock } from '../clock.ts'
import type { Dek } from './dek.ts'

/** How long one DEK is used for new messages: whichever limit is reached first ends its window. */
export interface WindowLimits {
  readonly ageMs: number
  readonly messagesMax: number
  readonly bytesMax: number
}

/** The share of a window after which the next DEK is made ready, so that a turn never waits. */
const PREPARE_AT = 0.7

/** One window: a DEK and what it has been used for so far. */
export class DekWindow {
  readonly dek: Dek
  readonly endsAtMs: number
  readonly #limits: WindowLimits
  readonly #startedAtMs: number
  #messages = 0
  #bytes = 0

  /** `startedAtMs` is monotonic time. The window takes over the caller's share of the DEK. */
  constructor(dek: Dek, limits: WindowLimits, startedAtMs: number) {
    this.dek = dek
    this.#limits = limits
    this.#startedAtMs = startedAtMs
    this.endsAtMs = startedAtMs + limits.ageMs
  }

  /** Whether one more message of `bytes` fits. The first one always does: it must go somewhere. */
  hasRoom(bytes: number, nowMs: number): boolean {
    if (nowMs >= this.endsAtMs || this.#messages >= this.#limits.messagesMax) return false
    return this.#messages === 0 || this.#bytes + bytes <= this.#limits.bytesMax
  }

  /** Counts one message. */
  spend(bytes: number): void {
    this.#messages++
    this.#bytes += bytes
  }

  /** How much of the window is used, from 0 to 1, by the limit that is nearest. */
  usedShare(nowMs: number): number {
    return Math.max(
      (nowMs - this.#startedAtMs) / this.#limits.ageMs,
      this.#messages / this.#limits.messagesMax,
      this.#bytes / this.#limits.bytesMax,
    )
  }
}

interface DomainKeys {
  current: DekWindow | null
  /** The DEK of the next window, asked for ahead; at most one is under way. */
  next: Promise<Dek> | null
}

/**
 * The windows of all key domains of this process. A window begins when its first segment asks for
 * it and turns when a limit is reached: the next `take` gives the window after it, whose DEK has
 * usually been made already. Segments that are still open under the old DEK keep it alive.
 */
export class DekWindows {
  readonly #createDek: (keyDomain: string) => Promise<Dek>
  readonly #limits: WindowLimits
  readonly #clock: Clock
  readonly #domains = new Map<string, DomainKeys>()

  constructor(createDek: (keyDomain: string) => Promise<Dek>, limits: WindowLimits, clock: Clock) {
    this.#createDek = createDek
    this.#limits = limits
    this.#clock = clock
  }

  /**
   * The window of `keyDomain` with room for a message of `bytes`. Rejects as the making of the DEK
   * does; the next call tries again then. Whoever keeps the DEK retains it.
   */
  async take(keyDomain: string, bytes: number): Promise<DekWindow> {
    const keys = this.#keysOf(keyDomain)
    while (!keys.current?.hasRoom(bytes, this.#clock.elapsedMs())) {
      const making = this.#next(keyDomain, keys)
      const dek = await making
      // Another caller may have turned the window while this one waited.
      if (keys.next !== making) continue
      keys.next = null
      const turned = keys.current
      // Somebody may have been given it in this very turn of the event loop and retain it yet.
      if (turned !== null) setImmediate(() => turned.dek.release())
      keys.current = new DekWindow(dek, this.#limits, this.#clock.elapsedMs())
    }
    return keys.current
  }

  /** Makes the next DEK ready when the window is used far enough. Cheap; call it once a batch. */
  prepare(keyDomain: string): void {
    const keys = this.#keysOf(keyDomain)
    if (keys.next !== null || keys.current === null) return
    if (keys.current.usedShare(this.#clock.elapsedMs()) < PREPARE_AT) return
    // A failure here is nobody's yet: `take` asks again and reports.
    this.#next(keyDomain, keys).catch(() => {})
  }

  /** Lets go of every DEK. Segments that still hold one keep theirs. */
  async close(): Promise<void> {
    for (const keys of this.#domains.values()) {
      keys.current?.dek.release()
      const next = await keys.next?.catch(() => null)
      next?.release()
    }
    this.#domains.clear()
  }

  #keysOf(keyDomain: string): DomainKeys {
    let keys = this.#domains.get(keyDomain)
    if (keys === undefined) {
      keys = { current: null, next: null }
      this.#domains.set(keyDomain, keys)
    }
    return keys
  }

  #next(keyDomain: string, keys: DomainKeys): Promise<Dek> {
    if (keys.next === null) {
      const making = this.#createDek(keyDomain)
      keys.next = making
      making.catch(() => {
        if (keys.next === making) keys.next = null
      })
    }
    return keys.next
  }
}
