import {
  type ClientRequest,
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request,
} from 'node:http'
import { Agent as HttpsAgent, request as requestTls } from 'node:https'
import { GetObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { systemClock } from '../../clock.ts'
import { CONNECTION_TIMEOUT_MS, type S3Options, SOCKETS_MAX } from './s3-client.ts'
import { NO_BODY, RequestSigner, UNSIGNED_BODY, type UnsignedRequest } from './sign-request.ts'

/** Which bytes of which object. */
export interface WantedRange {
  readonly key: string
  readonly versionId: string | null
  /** As in the header, without `bytes=`. */
  readonly range: string
  readonly signal?: AbortSignal | undefined
}

/** A new object, and what its PUT says of it: headers with names in small letters. */
export interface NewObject {
  readonly key: string
  readonly body: Uint8Array
  readonly headers: Readonly<Record<string, string>>
}

/** A request for an object, without how it is addressed. */
interface ObjectRequest extends Pick<UnsignedRequest, 'method' | 'query' | 'headers' | 'bodyHash'> {
  readonly key: string
  readonly body?: Uint8Array
  readonly signal?: AbortSignal | undefined
}

/** How the SDK asks for objects of this bucket. */
interface Way {
  readonly agent: HttpAgent | HttpsAgent
  readonly send: typeof request
  readonly to: Pick<RequestOptions, 'hostname' | 'port'>
  readonly host: string
  readonly userAgent: string
  /** What stands in front of a key. */
  readonly pathPrefix: string
  readonly signer: RequestSigner
}

/** A request as the SDK would send it. */
interface Sample {
  readonly protocol: string
  readonly hostname: string
  readonly port?: number
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
}

const SAMPLE_KEY = 'k'
/** Status of a request that was carried out. */
export const OK = 200
const PARTIAL_CONTENT = 206
const SIGNED_FOR = /^AWS4-HMAC-SHA256 Credential=[^/]+\/\d{8}\/([^/]+)\/s3\/aws4_request,/

/**
 * Requests past the SDK, which takes more CPU for one than all else that opening a message costs, or than
 * sealing a small segment. The SDK says once how the bucket is addressed and signed for, gives the credentials,
 * and is asked again where the answer is not what was hoped for: only it knows how a failure is called.
 */
export class DirectRequests {
  readonly #client: S3Client
  readonly #options: S3Options
  #way: Promise<Way | null> | null = null

  /** Credentials and clock are those of `client`. */
  constructor(client: S3Client, options: S3Options) {
    this.#client = client
    this.#options = options
  }

  /** The answer with the bytes, its body to be read; null when the SDK has to ask. */
  async get({ key, versionId, range, signal }: WantedRange): Promise<IncomingMessage | null> {
    const query = versionId === null ? '' : `versionId=${encoded(versionId)}`
    const headers = { range: `bytes=${range}` }
    const asked = { method: 'GET', key, query, headers, bodyHash: NO_BODY, signal } as const
    const answer = await this.#try(asked)
    if (answer?.statusCode === PARTIAL_CONTENT) return answer
    answer?.destroy()
    return null
  }

  /** The status of the answer: 200 when the object is there now. null without an answer. */
  async put({ key, body, headers }: NewObject): Promise<number | null> {
    const asked = { method: 'PUT', key, query: '', headers, body, bodyHash: UNSIGNED_BODY } as const
    const answer = await this.#try(asked)
    if (answer?.statusCode === OK) answer.resume()
    else answer?.destroy()
    return answer?.statusCode ?? null
  }

  async close(): Promise<void> {
    const way = await this.#way?.catch(() => null)
    way?.agent.destroy()
  }

  async #try(asked: ObjectRequest): Promise<IncomingMessage | null> {
    try {
      this.#way ??= this.#findWay()
      const way = await this.#way.catch((error) => {
        // Credentials may be there next time.
        this.#way = null
        throw error
      })
      return way === null ? null : await this.#ask(way, asked)
    } catch {
      return null
    }
  }

  async #ask(way: Way, asked: ObjectRequest): Promise<IncomingMessage> {
    const { key, body, signal, method, query, bodyHash } = asked
    const { credentials, systemClockOffset } = this.#client.config
    const path = way.pathPrefix + encodedKey(key)
    const headers = way.signer.headersOf(
      { method, path, query, bodyHash, headers: { host: way.host, ...asked.headers } },
      await credentials(),
      systemClock.nowMs() + systemClockOffset,
    )
    headers['user-agent'] = way.userAgent
    if (body !== undefined) headers['content-length'] = String(body.length)
    const sent = way.send({
      ...way.to,
      ...{ agent: way.agent, method, headers, path: query === '' ? path : `${path}?${query}` },
      ...(signal === undefined ? {} : { signal }),
    })
    const answer = answerTo(sent, this.#options.requestTimeoutMs)
    sent.end(body)
    return answer
  }

  /** null when objects of this bucket are not signed for in the usual way: express, many regions. */
  async #findWay(): Promise<Way | null> {
    const sample = await this.#sample()
    const region = SIGNED_FOR.exec(sample.headers.authorization ?? '')?.[1]
    if (region === undefined) return null
    const { protocol, hostname, port, path, headers } = sample
    const isTls = protocol === 'https:'
    const options = { keepAlive: true, maxSockets: SOCKETS_MAX }
    return {
      agent: isTls ? new HttpsAgent(options) : new HttpAgent(options),
      send: isTls ? requestTls : request,
      to: { hostname: hostname.replace(/^\[|\]$/g, ''), ...(port === undefined ? {} : { port }) },
      host: headers.host ?? hostname,
      userAgent: headers['user-agent'] ?? '',
      pathPrefix: path.slice(0, -SAMPLE_KEY.length),
      signer: new RequestSigner(region),
    }
  }

  /** What the SDK would send, taken from it before it does. */
  async #sample(): Promise<Sample> {
    const command = new GetObjectCommand({ Bucket: this.#options.bucket, Key: SAMPLE_KEY })
    const taken: Sample[] = []
    command.middlewareStack.add(
      () => async (args) => {
        taken.push(args.request as Sample)
        return { response: {}, output: { $metadata: {} } }
      },
      { step: 'finalizeRequest', priority: 'low', name: 'takeSample' },
    )
    await this.#client.send(command)
    return taken[0] as Sample
  }
}

/** The answer, its body to be read or destroyed. Rejects without one in time. */
function answerTo(asked: ClientRequest, timeoutMs: number): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const late = () => asked.destroy(new Error('no answer in time'))
  const timer = setTimeout(late, timeoutMs)
  let connecting: NodeJS.Timeout | undefined
  asked.once('socket', (socket) => {
    if (!socket.connecting) return
    connecting = setTimeout(late, CONNECTION_TIMEOUT_MS)
    socket.once('connect', () => clearTimeout(connecting))
  })
  asked.once('response', (answer) => {
    clearTimeout(timer)
    resolve(answer)
  })
  asked.on('error', reject)
  asked.once('close', () => {
    clearTimeout(timer)
    clearTimeout(connecting)
  })
  return promise
}

function encodedKey(key: string): string {
  return key.split('/').map(encoded).join('/')
}

/** As the signature wants it: also what `encodeURIComponent` leaves. */
function encoded(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}
