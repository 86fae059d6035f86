import type { Message } from '../format/message.ts'
import type { LogChunk } from './ports.ts'

/** What stands at an offset: a message; nothing, in a log that is whole there; or nobody knows any more. */
export type AtOffset = Message | 'nothing' | 'gone'

/**
 * Walks over the messages of a source partition beside its references: goes forward only, holds one
 * chunk, and tells every message that it passes over.
 */
export class SourceCursor {
  readonly #chunks: AsyncIterator<LogChunk>
  readonly #onPassed: (message: Message) => void
  readonly #onChunk: (chunk: LogChunk) => void
  #chunk: LogChunk | null = null
  #index = 0
  #isOver = false

  constructor(
    chunks: AsyncIterable<LogChunk>,
    onPassed: (message: Message) => void,
    onChunk: (chunk: LogChunk) => void,
  ) {
    this.#chunks = chunks[Symbol.asyncIterator]()
    this.#onPassed = onPassed
    this.#onChunk = onChunk
  }

  /** Goes to `offset`, which lies behind every one that was asked for, and tells what stands there. */
  async at(offset: number): Promise<AtOffset> {
    for (;;) {
      const chunk = this.#chunk
      if (chunk !== null) {
        if (offset < chunk.from) return 'gone'
        this.#pass(chunk, offset)
        const message = chunk.records[this.#index]
        if (message?.offset === offset) {
          this.#index++
          return message
        }
        if (offset < chunk.next) return 'nothing'
      }
      if (!(await this.#next())) return 'gone'
    }
  }

  /** Passes over all that is left. */
  async finish(): Promise<void> {
    do {
      if (this.#chunk !== null) this.#pass(this.#chunk, Number.POSITIVE_INFINITY)
    } while (await this.#next())
  }

  /** Ends the reading, wherever it is. */
  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  #pass(chunk: LogChunk, end: number): void {
    for (;;) {
      const message = chunk.records[this.#index]
      if (message === undefined || message.offset >= end) return
      this.#index++
      this.#onPassed(message)
    }
  }

  async #next(): Promise<boolean> {
    if (this.#isOver) return false
    const { done, value } = await this.#chunks.next()
    this.#isOver = done === true
    this.#chunk = done ? null : value
    this.#index = 0
    if (this.#chunk !== null) this.#onChunk(this.#chunk)
    return !this.#isOver
  }
}
