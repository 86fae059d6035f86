import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as the handler sees it. The body is parsed, {} where there was none. */
export interface JsonRequest {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: Readonly<Record<string, string>>
}

/** An answer; a body that is text goes out as it is. */
export interface JsonAnswer {
  readonly status: number
  readonly body: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Refuses from inside a handler. */
export class Refusal extends Error {
  readonly answer: JsonAnswer

  constructor(status: number, body: unknown, headers?: Readonly<Record<string, string>>) {
    super(`status ${status}`)
    this.answer = headers === undefined ? { status, body } : { status, body, headers }
  }
}

/** A server of JSON on a port of its own. */
export class JsonServer {
  /** Every request so far, in order. */
  readonly requests: JsonRequest[] = []
  /** Changes answers to come, one each: what a fault, a proxy or another server does to them. */
  readonly faults: ((answer: JsonAnswer) => JsonAnswer | Promise<JsonAnswer>)[] = []
  readonly #server: Server
  readonly #handle: (request: JsonRequest) => JsonAnswer

  constructor(handle: (request: JsonRequest) => JsonAnswer) {
    this.#handle = handle
    this.#server = createServer((request, response) => void this.#serve(request, response))
  }

  /** Listens, and resolves to the address. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = Buffer.concat(await incoming.toArray()).toString()
    const isJson = incoming.headers['content-type']?.startsWith('application/json') === true
    const request = {
      method: incoming.method ?? '',
      path: decodeURIComponent((incoming.url ?? '').split('?')[0] ?? ''),
      headers: incoming.headers,
      body:
        isJson && text !== '' ? JSON.parse(text) : Object.fromEntries(new URLSearchParams(text)),
    }
    this.requests.push(request)
    const answer = this.#answerTo(request)
    const { status, body, headers } = (await this.faults.shift()?.(answer)) ?? answer
    response.writeHead(status, { 'content-type': 'application/json', ...headers })
    response.end(typeof body === 'string' ? body : JSON.stringify(body))
  }

  #answerTo(request: JsonRequest): JsonAnswer {
    try {
      return this.#handle(request)
    } catch (error) {
      if (error instanceof Refusal) return error.answer
      return { status: 500, body: { error: { code: 500, message: 'the fake failed' } } }
    }
  }
}
