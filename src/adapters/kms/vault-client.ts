import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import {
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type RequestOptions,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { messageOf, SealError } from '../../errors.ts'

/** How Vault or OpenBao is reached, and where its Transit engine is. */
export interface VaultKmsOptions {
  readonly address: string
  /** PEM file; without it the machine's own authorities are trusted. */
  readonly caFile?: string | undefined
  /** Path of the Transit engine, without slashes at its ends. */
  readonly mount: string
  readonly namespace?: string | undefined
  readonly token?: string | undefined
  /** Wins over `token`, and is read for every request: an agent may renew what it holds. */
  readonly tokenFile?: string | undefined
  readonly requestTimeoutMs: number
}

/** An answer of whatever status. `body` is null where what came is no JSON object. */
export interface VaultAnswer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>> | null
}

/** Far above what Transit answers, so that what is no Vault cannot fill the memory. */
const ANSWER_BYTES_MAX = 1024 * 1024
/** What a header may hold; Node would put the value into its error. */
const HEADER_VALUE = /^[\x21-\x7e]+$/

/**
 * The HTTP API of Vault. Not `fetch`: that takes no certificate authority of one's own, and would
 * carry the token along to wherever a redirect leads.
 */
export class VaultClient {
  readonly #options: VaultKmsOptions
  readonly #base: string
  readonly #agents: { readonly http: HttpAgent; readonly https: HttpsAgent }

  /** Throws SEAL_CONFIG_INVALID when `caFile` cannot be read. Connects to nothing. */
  constructor(options: VaultKmsOptions) {
    const { address, caFile } = options
    this.#options = options
    this.#base = `${address.replace(/\/+$/, '')}/v1/`
    const trust = caFile === undefined ? {} : { ca: pemOf(caFile) }
    this.#agents = {
      http: new HttpAgent({ keepAlive: true }),
      https: new HttpsAgent({ keepAlive: true, ...trust }),
    }
  }

  /**
   * One request with a token. `path` is without `/v1/`, its steps encoded. Resolves to every answer,
   * refusals too. Throws SEAL_KMS_UNAVAILABLE when there is none, and SEAL_KMS_DENIED without a token.
   */
  async send(method: 'GET' | 'POST', path: string, body?: object): Promise<VaultAnswer> {
    const token = await this.#token()
    const answer = await this.#ask(method, path, body, token)
    if (answer.status !== 403 || this.#options.tokenFile === undefined) return answer
    // The agent may have put a new one there just when the old one ended.
    const renewed = await this.#token()
    return renewed === token ? answer : this.#ask(method, path, body, renewed)
  }

  close(): void {
    this.#agents.http.destroy()
    this.#agents.https.destroy()
  }

  async #ask(
    method: string,
    path: string,
    body: object | undefined,
    token: string,
  ): Promise<VaultAnswer> {
    const { address, requestTimeoutMs } = this.#options
    const headers = this.#headers(token)
    const text = body === undefined ? undefined : JSON.stringify(body)
    const signal = AbortSignal.timeout(requestTimeoutMs)
    const url = new URL(this.#base + path)
    try {
      const response = await this.#exchange(url, { method, headers, signal }, text)
      const target = activeServer(url, response)
      if (target === null) return await answerOf(response)
      response.resume()
      return await answerOf(await this.#exchange(target, { method, headers, signal }, text))
    } catch (error) {
      // What is cut off in the middle of an answer fails as if the server had reset the connection.
      const reason = signal.aborted ? `within ${requestTimeoutMs} ms` : `(${reasonOf(error)})`
      throw new SealError('SEAL_KMS_UNAVAILABLE', `${address} does not answer ${reason}`, {
        retryable: true,
      })
    }
  }

  /** Resolves when the head of the answer is there. */
  async #exchange(
    url: URL,
    options: RequestOptions,
    text: string | undefined,
  ): Promise<IncomingMessage> {
    const { http, https } = this.#agents
    const isTls = url.protocol === 'https:'
    const request = isTls
      ? httpsRequest(url, { ...options, agent: https })
      : httpRequest(url, { ...options, agent: http })
    request.end(text)
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    // From here on whoever reads the answer hears of failures; a late one of the request is the same.
    request.on('error', () => {})
    return response
  }

  #headers(token: string): Record<string, string> {
    const { namespace } = this.#options
    const headers = {
      'content-type': 'application/json',
      'x-vault-token': token,
      // Agents and proxies can be told to refuse requests without it.
      'x-vault-request': 'true',
    }
    if (namespace === undefined) return headers
    if (HEADER_VALUE.test(namespace)) return { ...headers, 'x-vault-namespace': namespace }
    throw new SealError('SEAL_CONFIG_INVALID', 'kms.vault.namespace: holds what no header can')
  }

  async #token(): Promise<string> {
    const { token, tokenFile } = this.#options
    if (tokenFile === undefined) return usable(token ?? '', 'kms.vault.token', false)
    const name = `kms.vault.tokenFile "${tokenFile}"`
    const text = await readFile(tokenFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      const reason = `${name} cannot be read (${error.code}); see to its agent and its rights`
      // The agent that writes it may not have come so far yet.
      throw new SealError('SEAL_KMS_DENIED', reason, { retryable: error.code === 'ENOENT' })
    })
    return usable(text.trim(), name, true)
  }
}

/** The token, where it can be one. The reason against it never holds it. */
function usable(token: string, name: string, retryable: boolean): string {
  if (HEADER_VALUE.test(token)) return token
  const reason = token === '' ? 'holds no token' : 'holds what no token can'
  throw new SealError('SEAL_KMS_DENIED', `${name} ${reason}`, {
    retryable: retryable && token === '',
  })
}

function pemOf(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const message = `kms.vault.caFile "${path}" cannot be read (${messageOf(error)})`
    throw new SealError('SEAL_CONFIG_INVALID', message)
  }
}

/** Where a standby server says that the active one is, or null. It must not lead out of TLS. */
function activeServer(asked: URL, { statusCode, headers }: IncomingMessage): URL | null {
  if (statusCode !== 307 || headers.location === undefined) return null
  const target = URL.parse(headers.location, asked.href)
  if (target?.protocol === 'https:') return target
  return target?.protocol === 'http:' && asked.protocol === 'http:' ? target : null
}

async function answerOf(response: IncomingMessage): Promise<VaultAnswer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > ANSWER_BYTES_MAX) break
  }
  const whole = Buffer.concat(chunks)
  const status = response.statusCode ?? 0
  try {
    const body: unknown = JSON.parse(whole.toString('utf8'))
    const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
    return { status, body: isObject ? (body as Record<string, unknown>) : null }
  } catch {
    return { status, body: null }
  } finally {
    // They may hold a data key as text.
    for (const chunk of [whole, ...chunks]) chunk.fill(0)
  }
}

function reasonOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code
  return typeof code === 'string' ? code : messageOf(error)
}
