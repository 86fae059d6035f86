import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingMessage,
  request as requestOf,
  type Server,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import { systemClock } from '../../src/clock.ts'

/** A request as rules see it: what S3 and KMS tell their operations apart by. */
export interface HttpRequest {
  readonly method: string
  /** Path and query. */
  readonly url: string
  /** `X-Amz-Target` of AWS JSON services, without the name of the service. */
  readonly target: string
}

/** An answer that the service never gave. */
export interface HttpAnswer {
  readonly status: number
  readonly body: string
  readonly contentType: string
}

/**
 * What is done to a request. `instead`: the service hears nothing of it. `after`: the service has
 * done it, and the client hears something else. `lost`: done, and the connection ends without an
 * answer. `torn`: the connection ends when `atByte` bytes of the body have come. `hung`: nothing
 * comes, and nothing ends. `slow`: the answer takes `ms` longer. `trickle`: `bytes` of the body go
 * on every `everyMs`.
 */
export type HttpFault =
  | { readonly kind: 'instead' | 'after'; readonly answer: HttpAnswer }
  | { readonly kind: 'lost' | 'hung' }
  | { readonly kind: 'torn'; readonly atByte: number }
  | { readonly kind: 'slow'; readonly ms: number }
  | { readonly kind: 'trickle'; readonly bytes: number; readonly everyMs: number }

/** Chooses what is done to a request; null lets it pass. */
export type FaultRule = (request: HttpRequest) => HttpFault | null

/** A proxy before an HTTP service that misbehaves as its rule says, which tests change at any time. */
export class HttpFaultProxy {
  rule: FaultRule = () => null
  /** Faults so far. */
  struck = 0
  readonly port: number
  readonly #target: URL
  readonly #server: Server
  readonly #agent = new Agent({ keepAlive: true })

  private constructor(target: URL, server: Server) {
    this.#target = target
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('request', (request, response) => void this.#serve(request, response))
  }

  /** Starts before the service at `url`, on a free port of 127.0.0.1. */
  static async before(url: string): Promise<HttpFaultProxy> {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new HttpFaultProxy(new URL(url), server)
  }

  /** Where clients go instead of to the service. */
  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async close(): Promise<void> {
    this.#agent.destroy()
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Whoever went away, the service or its client, leaves an error that nobody needs to hear of.
    const ended = () => void response.destroy()
    request.on('error', ended)
    response.on('error', ended)
    const { method = '', url = '' } = request
    const target = String(request.headers['x-amz-target'] ?? '').replace(/^.*\./, '')
    const fault = this.rule({ method, url, target })
    if (fault !== null) this.struck++
    try {
      await this.#apply(fault, request, response)
    } catch {
      ended()
    }
  }

  async #apply(
    fault: HttpFault | null,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    switch (fault?.kind) {
      case 'hung':
        return
      case 'torn':
        return tear(request, fault.atByte)
      case 'instead':
        for await (const _ of request);
        return give(response, fault.answer)
      case 'after':
        ;(await this.#forward(request, request)).resume()
        return give(response, fault.answer)
      case 'lost':
        ;(await this.#forward(request, request)).resume()
        request.socket.destroy()
        return
      case 'trickle':
        return copy(await this.#forward(request, trickling(request, fault)), response)
      default: {
        const answer = await this.#forward(request, request)
        if (fault?.kind === 'slow') await systemClock.sleep(fault.ms)
        return copy(answer, response)
      }
    }
  }

  /** Sends a request on, header by header, because they are signed; resolves to the answer. */
  async #forward(request: IncomingMessage, body: AsyncIterable<Buffer>): Promise<IncomingMessage> {
    const { hostname: host, port } = this.#target
    const { method, url: path, rawHeaders } = request
    const options = { host, port, method, path, agent: this.#agent, setHost: false }
    const sent = requestOf({ ...options, headers: rawHeaders })
    const answered = once(sent, 'response') as Promise<[IncomingMessage]>
    // A service that answers early may refuse the rest of the body.
    answered.catch(() => {})
    for await (const chunk of body) if (!sent.write(chunk)) await once(sent, 'drain')
    sent.end()
    return (await answered)[0]
  }
}

async function tear(request: IncomingMessage, atByte: number): Promise<void> {
  let bytes = 0
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length
    if (bytes >= atByte) break
  }
  request.socket.resetAndDestroy()
}

async function* trickling(
  body: AsyncIterable<Buffer>,
  { bytes, everyMs }: { readonly bytes: number; readonly everyMs: number },
): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; at += bytes) {
      await systemClock.sleep(everyMs)
      yield chunk.subarray(at, at + bytes)
    }
  }
}

function give(response: ServerResponse, { status, body, contentType }: HttpAnswer): void {
  response.writeHead(status, { 'content-type': contentType }).end(body)
}

function copy(answer: IncomingMessage, response: ServerResponse): void {
  response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
  answer.on('error', () => response.destroy()).pipe(response)
}
