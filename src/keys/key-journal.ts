import type { Clock } from '../clock.ts'
import type { KeyEvent, KeyEventLog } from './key-events.ts'
import type { KeyObserver } from './key-observer.ts'
import type { KeyLifeListener, RetiredKey } from './running-keys.ts'

/**
 * Events that wait at most. Without Cassandra no DEK is made, so an outage leaves three events for
 * each DEK that lives; the bound (some 10 MB) is there for what nobody has thought of.
 */
const UNWRITTEN_MAX = 50_000
const EVENTS_PER_WRITE = 100
const FIRST_PAUSE_MS = 100
const PAUSE_MS_MAX = 5_000

/** What ended a window, in words that stand in its retired event. */
const WINDOW_ENDS: Readonly<Record<string, string>> = {
  age: 'window age',
  messages: 'window messages',
  bytes: 'window bytes',
  closed: 'the process stopped',
}

/** What a journal is made of. */
export interface JournalServices {
  readonly log: Pick<KeyEventLog, 'append'>
  readonly clock: Clock
  readonly observer: Pick<KeyObserver, 'keyEventsUnwritten' | 'keyEventsLost' | 'keyRecordsFailed'>
  /** Who does what is written, e.g. `encryptor host-1/4711/3f9a2c1b`. */
  readonly actor: string
}

/**
 * Writes first use, last use and retirement of the DEKs of this process, in the background and in
 * order. The road never waits for it: calls only add to a queue. What cannot be written now is
 * tried again until it can, since appending twice changes nothing.
 */
export class KeyJournal implements KeyLifeListener {
  readonly #services: JournalServices
  readonly #unwritten: KeyEvent[] = []
  readonly #stop = new AbortController()
  #writing: Promise<void> | null = null

  constructor(services: JournalServices) {
    this.#services = services
  }

  firstUsed(dekId: string, keyDomain: string, atMs: number): void {
    const reason = `first message of key domain ${keyDomain}`
    this.#note([this.#event(dekId, 'first-use', atMs, reason)])
  }

  retired({ dekId, lastUsedAtMs, messages, bytes }: RetiredKey, reason: string): void {
    const use = `${messages} messages, ${bytes} bytes`
    const last = lastUsedAtMs === null ? [] : [this.#event(dekId, 'last-use', lastUsedAtMs, use)]
    const words = WINDOW_ENDS[reason] ?? reason
    this.#note([...last, this.#event(dekId, 'retired', this.#services.clock.nowMs(), words)])
  }

  /**
   * Waits until everything is written, for `withinMs` at most, and ends the journal. `held` DEKs are
   * left, of whose end nothing will be written. Resolves to the number of events that are lost.
   */
  async close(withinMs: number, held: number): Promise<number> {
    const late = this.#services.clock.sleep(withinMs, this.#stop.signal)
    await Promise.race([this.#writing ?? Promise.resolve(), late])
    this.#stop.abort()
    const lost = this.#unwritten.length + held
    if (lost > 0) this.#services.observer.keyEventsLost(lost)
    return lost
  }

  #event(dekId: string, kind: KeyEvent['kind'], atMs: number, reason: string): KeyEvent {
    const { actor } = this.#services
    return { dekId, kind, atMs, actor, reason, kekId: null, kekVersion: null }
  }

  #note(events: readonly KeyEvent[]): void {
    const { observer } = this.#services
    const room = UNWRITTEN_MAX - this.#unwritten.length
    if (room < events.length || this.#stop.signal.aborted) {
      observer.keyEventsLost(events.length)
      return
    }
    this.#unwritten.push(...events)
    observer.keyEventsUnwritten(this.#unwritten.length)
    this.#writing ??= this.#writeAll()
  }

  async #writeAll(): Promise<void> {
    const { log, clock, observer } = this.#services
    // What is noted in this turn of the event loop goes out together.
    await new Promise((resolve) => setImmediate(resolve))
    for (let pauseMs = FIRST_PAUSE_MS; this.#unwritten.length > 0; ) {
      if (this.#stop.signal.aborted) break
      const events = this.#unwritten.slice(0, EVENTS_PER_WRITE)
      try {
        await log.append(events)
        this.#unwritten.splice(0, events.length)
        observer.keyEventsUnwritten(this.#unwritten.length)
        pauseMs = FIRST_PAUSE_MS
      } catch (error) {
        observer.keyRecordsFailed('key events', error)
        await clock.sleep(pauseMs, this.#stop.signal)
        pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)
      }
    }
    this.#writing = null
  }
}
