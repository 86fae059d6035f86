import { KEY_EVENT_KINDS, type KeyEvent, type KeyEventLog } from '../../src/keys/key-events.ts'

/** Key events in memory, held to the same contract as the log over Cassandra. */
export class MemoryKeyEventLog implements KeyEventLog {
  readonly #events = new Map<string, KeyEvent>()
  /** Thrown by the calls to come, one each. */
  readonly failures: Error[] = []

  /** All events in the order of their first writing. */
  get all(): KeyEvent[] {
    return [...this.#events.values()]
  }

  async append(events: readonly KeyEvent[]): Promise<void> {
    const failure = this.failures.shift()
    if (failure !== undefined) throw failure
    for (const event of events) this.#events.set(JSON.stringify(event), { ...event })
  }

  async *eventsOf(dekId: string): AsyncGenerator<KeyEvent> {
    const order = ({ kind }: KeyEvent) => KEY_EVENT_KINDS.indexOf(kind)
    yield* this.all
      .filter((event) => event.dekId === dekId)
      .sort((a, b) => a.atMs - b.atMs || order(a) - order(b))
  }
}
