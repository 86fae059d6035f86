import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { messageOf, SealError } from '../errors.ts'
import type { Health, HealthReport } from '../telemetry/health.ts'
import type { Metrics } from '../telemetry/metrics.ts'

const HEADERS_TIMEOUT_MS = 5000
const REQUEST_TIMEOUT_MS = 10_000
/** How often Node looks whose time is over. */
const TIMEOUT_CHECK_MS = 1000
const HEADER_BYTES_MAX = 8 * 1024

/** What the server listens on and what it shows. `port` 0 takes any free port. */
export interface AdminServerOptions {
  readonly host: string
  readonly port: number
  readonly metrics: Metrics
  readonly health: Health
}

/** A running server for metrics and probes. */
export interface AdminServer {
  readonly host: string
  /** The port in use, also when 0 was asked for. */
  readonly port: number
  /** Ends the server and its connections. Resolves when the port is free; may be called again. */
  close(): Promise<void>
}

/**
 * Serves GET /metrics, /healthz and /readyz, for anybody who can reach the address.
 * Rejects with SEAL_PORT_TAKEN when the port is in use, SEAL_CONFIG_INVALID when it cannot be had.
 */
export async function startAdminServer(options: AdminServerOptions): Promise<AdminServer> {
  const { host, port } = options
  const limits = { maxHeaderSize: HEADER_BYTES_MAX, connectionsCheckingInterval: TIMEOUT_CHECK_MS }
  const server = createServer(limits, (request, response) => {
    // A body is of no use here; whoever sends one does not get to send all of it.
    if (hasBody(request)) response.setHeader('connection', 'close')
    answer(options, request, response).catch((error: unknown) => {
      if (response.headersSent) response.destroy()
      else sendText(response, 500, `${messageOf(error)}\n`)
    })
  })
  server.headersTimeout = HEADERS_TIMEOUT_MS
  server.requestTimeout = REQUEST_TIMEOUT_MS
  await listen(server, host, port)
  return {
    host,
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return 'transfer-encoding' in headers || (headers['content-length'] ?? '0') !== '0'
}

async function answer(
  { metrics, health }: AdminServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const path = (request.url ?? '/').replace(/[?#].*$/, '')
  const isKnown = path === '/metrics' || path === '/healthz' || path === '/readyz'
  if (!isKnown) return sendText(response, 404, 'not found; try /metrics, /healthz or /readyz\n')
  if (request.method !== 'GET') {
    response.setHeader('allow', 'GET')
    return sendText(response, 405, 'only GET is answered\n')
  }
  if (path === '/healthz') return sendReport(response, health.liveness())
  if (path === '/readyz') return sendReport(response, health.readiness())
  const page = await metrics.registry.metrics()
  response.writeHead(200, { 'content-type': metrics.registry.contentType })
  response.end(page)
}

function sendReport(response: ServerResponse, report: HealthReport): void {
  response.writeHead(report.status === 'unavailable' ? 503 : 200, {
    'content-type': 'application/json',
    'cache-control': 'no-store',
  })
  response.end(`${JSON.stringify(report)}\n`)
}

function sendText(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' })
  response.end(text)
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error & { readonly code?: string }) => {
      const address = `${host}:${port}`
      reject(
        error.code === 'EADDRINUSE'
          ? new SealError('SEAL_PORT_TAKEN', `${address} is in use, set http.port to another port`)
          : new SealError(
              'SEAL_CONFIG_INVALID',
              `cannot listen on ${address} (${error.code}), check http.host and http.port`,
            ),
      )
    }
    server.once('error', fail)
    server.listen(port, host, () => {
      server.off('error', fail)
      resolve()
    })
  })
}
