import type { Message } from '../format/message.ts'
import type { DataOutput } from './data-output.ts'
import { messageToJson } from './message-json.ts'
import { renderJson } from './render.ts'

const NEWLINE = Buffer.from('\n')

/** Writes messages as they were asked for. */
export class MessagePrinter {
  readonly #output: DataOutput
  readonly #bareValues: boolean

  /** With `bareValues` a message is its value and a line feed, else a line of JSON. */
  constructor(output: DataOutput, bareValues: boolean) {
    this.#output = output
    this.#bareValues = bareValues
  }

  /** Resolves when the output takes more. */
  print(messages: readonly Message[]): Promise<void> {
    return this.#output.write(
      this.#bareValues
        ? Buffer.concat(messages.flatMap(({ value }) => [value ?? Buffer.alloc(0), NEWLINE]))
        : messages.map((message) => renderJson(messageToJson(message))).join(''),
    )
  }
}
