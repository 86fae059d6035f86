import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { VaultClient, type VaultKmsOptions } from '../../../../src/adapters/kms/vault-client.ts'
import { JsonServer } from '../../../support/json-server.ts'
import { selfSigned } from '../../../support/self-signed.ts'

const accepted = new Set(['first'])
const server = new JsonServer(({ headers }) =>
  accepted.has(String(headers['x-vault-token']))
    ? { status: 200, body: { data: {} } }
    : { status: 403, body: { errors: ['permission denied'] } },
)
const folder = mkdtempSync(join(tmpdir(), 'sealstream-vault-client-'))
const tokenFile = join(folder, 'token')
const clients: VaultClient[] = []
const others: Server[] = []
let address: string

beforeAll(async () => {
  address = await server.start()
})
afterAll(async () => {
  await server.stop()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  server.requests.length = 0
  server.faults.length = 0
  accepted.clear()
  accepted.add('first')
  writeFileSync(tokenFile, 'first\n')
})
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
  for (const other of others.splice(0)) other.close()
})

const client = (over: Partial<VaultKmsOptions> = {}) => {
  const made = new VaultClient({
    address,
    mount: 'transit',
    token: 'first',
    requestTimeoutMs: 5_000,
    ...over,
  })
  clients.push(made)
  return made
}
const ask = (over: Partial<VaultKmsOptions> = {}) => client(over).send('GET', 'transit/keys/k')
const failureOf = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable('the call succeeded'),
    (error: { code: string; retryable: boolean; message: string; cause: unknown }) => error,
  )
const tokens = () => server.requests.map(({ headers }) => headers['x-vault-token'])

async function listening(other: Server): Promise<number> {
  others.push(other)
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  return (other.address() as AddressInfo).port
}

describe('the token of a Vault client', () => {
  it('is read from its file anew for every request', async () => {
    const one = client({ token: 'other', tokenFile })
    expect((await one.send('GET', 'transit/keys/k')).status).toBe(200)
    accepted.add('second')
    writeFileSync(tokenFile, 'second')
    expect((await one.send('GET', 'transit/keys/k')).status).toBe(200)
    expect(tokens()).toEqual(['first', 'second'])
  })

  it('is read again after a refusal, and tried once more when it is another', async () => {
    accepted.clear()
    accepted.add('second')
    // The agent writes the new token while the request with the old one is under way.
    server.faults.push((answer) => {
      writeFileSync(tokenFile, 'second')
      return answer
    })
    expect((await ask({ tokenFile })).status).toBe(200)
    expect(tokens()).toEqual(['first', 'second'])
  })

  it('is not tried again when it is the same', async () => {
    accepted.clear()
    expect((await ask({ tokenFile })).status).toBe(403)
    expect((await ask()).status).toBe(403)
    expect(tokens()).toEqual(['first', 'first'])
  })

  it.each([
    ['a file that is not there', { tokenFile: join(folder, 'none') }, true, 'ENOENT'],
    ['a folder', { tokenFile: folder }, false, 'EISDIR'],
    ['no token', { token: undefined }, false, 'holds no token'],
    ['what no header can hold', { token: 'canary\n7f3a' }, false, 'holds what no token can'],
  ])('is missed before anything is asked: %s', async (_what, over, retryable, reason) => {
    const failure = await failureOf(ask(over))
    expect(failure).toMatchObject({ code: 'SEAL_KMS_DENIED', retryable })
    expect(failure.message).toContain(reason)
    expect(failure.message).not.toContain('canary')
    expect(server.requests).toEqual([])
  })

  it('is waited for as long as its file is empty', async () => {
    writeFileSync(tokenFile, '\n')
    expect(await failureOf(ask({ tokenFile }))).toMatchObject({ retryable: true })
  })
})

describe('a redirect', () => {
  const to = (location: string) => () => ({ status: 307, body: '', headers: { location } })

  it('of a standby server is followed once, with method and body', async () => {
    server.faults.push(to(`${address}/v1/transit/decrypt/k`))
    const answer = await client().send('POST', 'transit/decrypt/k', { ciphertext: 'c' })
    expect(answer.status).toBe(200)
    expect(server.requests[1]).toMatchObject({ method: 'POST', body: { ciphertext: 'c' } })
    server.faults.push(to(`${address}/v1/x`), to(`${address}/v1/x`))
    expect((await ask()).status).toBe(307)
  })

  it('does not lead out of TLS', async () => {
    const { certPem, keyPem } = selfSigned()
    const caFile = join(folder, 'ca.pem')
    writeFileSync(caFile, certPem)
    const secure = createTlsServer({ cert: certPem, key: keyPem }, (_request, response) => {
      response.writeHead(307, { location: `${address}/v1/x` }).end()
    })
    const port = await listening(secure)
    expect((await ask({ address: `https://127.0.0.1:${port}`, caFile })).status).toBe(307)
    expect(server.requests).toEqual([])
  })
})

describe('TLS', () => {
  it('trusts the authorities of caFile, and no server beside them', async () => {
    const { certPem, keyPem } = selfSigned()
    const caFile = join(folder, 'ca.pem')
    writeFileSync(caFile, certPem)
    const secure = createTlsServer({ cert: certPem, key: keyPem }, (_request, response) => {
      response.end('{"data":{}}')
    })
    const https = `https://127.0.0.1:${await listening(secure)}/`
    expect(await ask({ address: https, caFile })).toEqual({ status: 200, body: { data: {} } })
    expect(await failureOf(ask({ address: https }))).toMatchObject({
      code: 'SEAL_KMS_UNAVAILABLE',
      message: expect.stringMatching(/SELF_SIGNED/),
    })
  })

  it('names a caFile that cannot be read', () => {
    expect(() => client({ caFile: join(folder, 'none.pem') })).toThrow(
      /kms.vault.caFile .*none.pem/,
    )
  })
})

describe('a server that does not answer', () => {
  const unavailable = { code: 'SEAL_KMS_UNAVAILABLE', retryable: true }

  it('in time is given up', async () => {
    const silent = createServer(() => {})
    const port = await listening(silent)
    const failure = await failureOf(
      ask({ address: `http://127.0.0.1:${port}`, requestTimeoutMs: 100 }),
    )
    expect(failure).toMatchObject(unavailable)
    expect(failure.message).toContain('within 100 ms')
  })

  it.each([
    ['its head', 'HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"da'],
    ['nothing', ''],
    ['what is no HTTP', 'hello\r\n\r\n'],
  ])('but with %s is unavailable', async (_what, text) => {
    const broken = createServer((socket) => socket.end(text))
    const port = await listening(broken)
    const failure = await failureOf(ask({ address: `http://127.0.0.1:${port}` }))
    expect(failure).toMatchObject(unavailable)
    expect(failure.cause).toBeUndefined()
  })

  it('to its end within the time is given up', async () => {
    const slow = createServer((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n{"da'),
    )
    const port = await listening(slow)
    const failure = await failureOf(
      ask({ address: `http://127.0.0.1:${port}`, requestTimeoutMs: 100 }),
    )
    expect(failure).toMatchObject(unavailable)
    expect(failure.message).toContain('within 100 ms')
  })
})
