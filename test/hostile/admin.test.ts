import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AdminServer, startAdminServer } from '../../src/admin/server.ts'
import { createHealth } from '../../src/telemetry/health.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'

const KIB = 1024
/** A head has 5 seconds, and the server looks every second; left alone, Node would every 30. */
const SLOW_MS_MAX = 20_000
let server: AdminServer

beforeAll(async () => {
  const options = { host: '127.0.0.1', port: 0, metrics: createMetrics(), health: createHealth() }
  server = await startAdminServer(options)
})

afterAll(() => server.close())

/** Sends these bytes, and gives what came back until the server closed the connection. */
function exchange(...sent: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => {
      for (const bytes of sent) socket.write(bytes)
    })
    let received = ''
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    // A server that hangs up while it is written to.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ECONNRESET' && error.code !== 'EPIPE') reject(error)
    })
    socket.on('close', () => resolve(received))
  })
}

const statusOf = (answer: string) => Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 0)
const head = (line: string, ...headers: string[]) =>
  [line, 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n')

describe('the server of probes', () => {
  it.each<[string, string, number]>([
    ['an unknown path', head('GET /admin HTTP/1.1'), 404],
    ['a path that climbs up', head('GET /metrics/../../etc/passwd HTTP/1.1'), 404],
    ['an encoded path that climbs up', head('GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1'), 404],
    ['a path that climbs up to a known one', head('GET /a/../metrics HTTP/1.1'), 404],
    ['a known path with an escape', head('GET /%6detrics HTTP/1.1'), 404],
    ['two slashes', head('GET //metrics HTTP/1.1'), 404],
    ['the address of another server', head('GET http://example.invalid/metrics HTTP/1.1'), 404],
    ['a zero byte in the path', head('GET /metrics\u0000 HTTP/1.1'), 400],
    ['POST', head('POST /metrics HTTP/1.1', 'Content-Length: 0'), 405],
    ['DELETE', head('DELETE /healthz HTTP/1.1'), 405],
    ['TRACE', head('TRACE /healthz HTTP/1.1'), 405],
    ['an unknown method', head('SEAL /metrics HTTP/1.1'), 400],
    ['16 KiB of headers', head('GET /healthz HTTP/1.1', `X: ${'x'.repeat(16 * KIB)}`), 431],
    ['a path of 16 KiB', head(`GET /${'x'.repeat(16 * KIB)} HTTP/1.1`), 431],
    ['two lengths', head('GET /healthz HTTP/1.1', 'Content-Length: 1', 'Content-Length: 2'), 400],
    [
      'a length and chunks',
      head('GET /healthz HTTP/1.1', 'Content-Length: 1', 'Transfer-Encoding: chunked'),
      400,
    ],
    ['no host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['something that is no HTTP', '\u0016\u0003\u0001\u0002\u0000\u0001', 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['HTTP/1.0', 'GET /healthz HTTP/1.0\r\n\r\n', 200],
    ['a query', head('GET /healthz?a=../.. HTTP/1.1'), 200],
  ])('answers %s', async (_what, request, status) => {
    const answer = await exchange(request)
    expect(statusOf(answer)).toBe(status)
    expect(answer).not.toMatch(/root:|at .*\.ts/i)
  })

  it('hangs up on CONNECT', async () => {
    expect(await exchange('CONNECT example.invalid:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toBe('')
  })

  it('does not change its protocol', async () => {
    const upgrade = ['Connection: Upgrade', 'Upgrade: websocket']
    const lines = ['GET /healthz HTTP/1.1', 'Host: x', ...upgrade, '', '']
    const last = head('GET /healthz HTTP/1.1')
    expect(statusOf(await exchange(lines.join('\r\n'), last))).not.toBe(101)
  })

  it('answers a request with a body, and takes not all of it', async () => {
    const lines = ['GET /healthz HTTP/1.1', 'Host: x', 'Content-Length: 1073741824', '', '']
    const answer = await exchange(lines.join('\r\n'), Buffer.alloc(64 * KIB))
    expect(statusOf(answer)).toBe(200)
    expect(answer).toMatch(/^connection: close$/im)
  })

  it('hangs up on clients that are slow, and serves others meanwhile', {
    timeout: 60_000,
  }, async () => {
    const startedAtMs = performance.now()
    const slow = Array.from({ length: 50 }, () => exchange('GET /healthz HTTP/1.1\r\nX: '))
    expect(statusOf(await exchange(head('GET /healthz HTTP/1.1')))).toBe(200)
    for (const answer of await Promise.all(slow)) expect(statusOf(answer)).toBe(408)
    expect(performance.now() - startedAtMs).toBeLessThan(SLOW_MS_MAX)
  })
})
