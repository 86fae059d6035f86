import type { StackEndpoints } from '../../docker/stack/stack.ts'

/** What the program of an arm is told. */
export interface ArmOrder {
  readonly arm: string
  readonly stack: StackEndpoints
  readonly topic: string
  readonly outputTopic: string
  readonly partitions: number
  readonly messages: number
}

/** One line on the standard output of the program of an arm. */
export interface ArmNews {
  readonly messages: number
}

/** The variable that holds the order. */
export const ORDER_VARIABLE = 'BENCH_ORDER'

const TELL_MS = 100

/** The order of this program. */
export function armOrder(): ArmOrder {
  return JSON.parse(process.env[ORDER_VARIABLE] ?? '') as ArmOrder
}

/** Counts messages and tells of them on the standard output, ten times a second. */
export class ArmCounter {
  #messages = 0

  constructor() {
    setInterval(() => {
      const news: ArmNews = { messages: this.#messages }
      process.stdout.write(`${JSON.stringify(news)}\n`)
    }, TELL_MS)
  }

  add(messages: number): void {
    this.#messages += messages
  }
}
