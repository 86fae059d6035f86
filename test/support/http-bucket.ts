import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { MemoryObjectStore } from './memory-object-store.ts'

/** Answers one request for an object in its own way. */
export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** The objects of a memory store over HTTP, for GET with a range, and a server that can misbehave. */
export class HttpBucket {
  /** Takes the place of the honest answer. */
  answer: Answer | null = null
  requests = 0
  readonly #server: Server
  readonly #store: MemoryObjectStore

  constructor(store: MemoryObjectStore) {
    this.#store = store
    this.#server = createServer((request, response) => {
      this.requests++
      if (this.answer !== null) this.answer(request, response)
      else this.#serve(request, response)
    })
  }

  /** Listens, and resolves to how the bucket is reached. */
  async start() {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const { port } = this.#server.address() as AddressInfo
    return {
      ...{ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', bucket: 'sealed' },
      ...{ accessKeyId: 'a', secretAccessKey: 'b' },
    }
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const key = decodeURIComponent(/^\/sealed\/([^?]*)/.exec(request.url ?? '')?.[1] ?? '')
    const object = this.#store.objects.get(key)
    const [, from = '', to = ''] = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '') ?? []
    if (object === undefined) {
      response.writeHead(404, { 'content-type': 'application/xml' })
      response.end('<Error><Code>NoSuchKey</Code></Error>')
      return
    }
    const { length } = object.bytes
    const start = from === '' ? Math.max(0, length - Number(to)) : Number(from)
    const end = from === '' ? length : Math.min(length, Number(to) + 1)
    for (const [name, value] of Object.entries(object.metadata)) {
      response.setHeader(`x-amz-meta-${name}`, value)
    }
    response.writeHead(206, { 'content-range': `bytes ${start}-${end - 1}/${length}` })
    response.end(object.bytes.subarray(start, end))
  }
}
