import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { signatureOf } from '../../src/adapters/http/webhook.ts'
import type { NoticeBody } from '../../src/response/notices.ts'

/** Somebody who is told of incidents. */
export interface HookServer {
  readonly url: string
  readonly received: readonly NoticeBody[]
  /** Requests whose signature is not that of the secret. */
  readonly badSignatures: number
  /** What it answers from now on. */
  answer(status: number): void
  close(): Promise<void>
}

/** Where a redirect leads, and whoever follows it is welcome. */
const ELSEWHERE = '/elsewhere'

/** Starts a webhook on this machine that checks signatures by `secret`. */
export async function startHookServer(secret: string): Promise<HookServer> {
  const received: NoticeBody[] = []
  let badSignatures = 0
  let status = 204
  const server = createServer(async (request, response) => {
    const body = await bodyOf(request)
    if (request.url === ELSEWHERE) return void response.writeHead(204).end()
    const time = Number(request.headers['x-sealstream-time'])
    const signature = signatureOf(secret, time, body)
    if (request.headers['x-sealstream-signature'] !== signature) badSignatures++
    if (status < 300) received.push(JSON.parse(body) as NoticeBody)
    response.writeHead(status, status === 302 ? { location: ELSEWHERE } : {})
    response.end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/hook?token=secret`,
    received,
    get badSignatures() {
      return badSignatures
    },
    answer: (next) => {
      status = next
    },
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
