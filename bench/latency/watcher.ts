import { Worker } from 'node:worker_threads'
import { systemClock } from '../../src/clock.ts'
import { benchEnd } from '../bench-end.ts'
import type { WatchNews, WatchOrder } from './reference-watch.ts'
import type { Arrival } from './timeline.ts'

const POLL_MS = 50
const JOINED_WITHIN_MS = 30_000

/** A read_committed consumer of references in a thread of its own. */
export class ReferenceWatcher {
  readonly #worker: Worker
  readonly #arrivals = new Map<string, Arrival[]>()
  #hasJoined = false
  #failure: Error | null = null

  private constructor(order: WatchOrder) {
    this.#worker = new Worker(new URL('./reference-watch.ts', import.meta.url), {
      workerData: order,
    })
    this.#worker.on('message', (news: WatchNews) => this.#hear(news))
    this.#worker.on('error', (error) => {
      this.#failure = error as Error
    })
  }

  /** Starts one and resolves once it has its partitions. */
  static async join(order: WatchOrder): Promise<ReferenceWatcher> {
    const watcher = new ReferenceWatcher(order)
    await watcher.#until(() => watcher.#hasJoined, JOINED_WITHIN_MS)
    return watcher
  }

  /** What came in of a topic once there are `messages`, or nothing more is waited for. */
  async arrivals(topic: string, messages: number, withinMs: number): Promise<readonly Arrival[]> {
    const list = () => this.#arrivals.get(topic) ?? []
    const count = () => list().reduce((sum, { from, to }) => sum + to - from, 0)
    await this.#until(() => count() >= messages, withinMs)
    return list()
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }

  async #until(isSo: () => boolean, withinMs: number): Promise<void> {
    const endMs = performance.now() + withinMs
    while (!isSo() && performance.now() < endMs) {
      if (this.#failure !== null) throw this.#failure
      await systemClock.sleep(POLL_MS, benchEnd())
    }
  }

  #hear(news: WatchNews): void {
    if (news.kind === 'joined') this.#hasJoined = true
    else if (news.kind === 'failed') this.#failure = new Error(news.reason)
    else {
      const list = this.#arrivals.get(news.topic)
      if (list === undefined) this.#arrivals.set(news.topic, [news.arrival])
      else list.push(news.arrival)
    }
  }
}
