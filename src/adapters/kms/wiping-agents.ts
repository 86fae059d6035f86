import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import type { Duplex } from 'node:stream'

/** As the SDK makes its own. */
const OPTIONS = { keepAlive: true, maxSockets: 50 } as const

/**
 * Agents for answers with keys in them: what their sockets read is zeroed as soon as the parser of
 * Node, which works at once and copies bodies, is done with it. What is below a socket, TLS among
 * it, is out of reach.
 */
export function wipingAgents(): { readonly httpAgent: HttpAgent; readonly httpsAgent: HttpsAgent } {
  return { httpAgent: new WipingHttpAgent(OPTIONS), httpsAgent: new WipingHttpsAgent(OPTIONS) }
}

class WipingHttpAgent extends HttpAgent {
  override createConnection(...asked: Parameters<HttpAgent['createConnection']>) {
    return wipedWhenRead(super.createConnection(...asked))
  }
}

class WipingHttpsAgent extends HttpsAgent {
  override createConnection(...asked: Parameters<HttpsAgent['createConnection']>) {
    return wipedWhenRead(super.createConnection(...asked))
  }
}

function wipedWhenRead(socket: Duplex | null | undefined): Duplex | null | undefined {
  // The other listeners, of which the parser is one, come first: they hear of it in this very tick.
  socket?.on('data', (bytes: Buffer) => process.nextTick(() => bytes.fill(0)))
  return socket
}
