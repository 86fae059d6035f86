import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { afterEach, describe, expect, test } from 'vitest'
import { runCommand } from '../support/encryptor-process.ts'
import { faultBench } from '../support/fault-bench.ts'
import { sealUnderFault } from '../support/seal-under-fault.ts'
import type { ConfigChanges } from '../support/sealing-place.ts'
import { type SelfSigned, selfSigned } from '../support/self-signed.ts'
import { kafkaProtocol } from '../support/wire-protocols.ts'

// Every link that can be told to speak TLS: it takes no certificate but a good one, says which
// server it did not trust, and never says a word in the clear instead.

const bench = faultBench()
const HANDSHAKE = 0x16
const servers: Imposter[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

interface Link {
  readonly name: string
  readonly changes: (address: string, caFile: string) => ConfigChanges
  /** Trust is not in the configuration, but Node's own. */
  readonly trustsByNode?: true
}

const links: Link[] = [
  {
    name: 'Kafka',
    changes: (address, caFile) => ({
      'kafka.brokers': [address],
      'kafka.tls': { enabled: true, caFile },
    }),
  },
  {
    name: 'Cassandra',
    changes: (address, caFile) => ({
      'cassandra.contactPoints': [address],
      'cassandra.tls': { enabled: true, caFile },
    }),
  },
  {
    name: 'S3',
    changes: (address) => ({ 's3.endpoint': `https://${address}` }),
    trustsByNode: true,
  },
  {
    name: 'AWS KMS',
    changes: (address) => ({ 'kms.aws.endpoint': `https://${address}` }),
    trustsByNode: true,
  },
  {
    name: 'Vault',
    changes: (address, caFile) => ({
      'kms.provider': 'vault',
      'kms.keyId': 'sealstream',
      'kms.aws': undefined,
      'kms.vault': { address: `https://${address}`, caFile, token: 'a-token-for-nobody' },
    }),
  },
]

interface Faults {
  readonly what: string
  readonly certificate: () => SelfSigned
  /** What the client trusts, given the certificate of the server. */
  readonly trusted: (server: SelfSigned) => SelfSigned
  readonly reason: RegExp
}

const itself = (server: SelfSigned) => server
const faults: Faults[] = [
  {
    what: 'an expired certificate',
    certificate: () => selfSigned({ isExpired: true }),
    trusted: itself,
    reason: /expired/i,
  },
  {
    what: 'a certificate for another host',
    certificate: () => selfSigned({ address: [127, 0, 0, 2] }),
    trusted: itself,
    reason: /altname|does not match/i,
  },
  {
    what: 'a certificate of an unknown authority',
    certificate: selfSigned,
    trusted: () => selfSigned(),
    reason: /self[- ]signed|unable to (verify|get)|DEPTH_ZERO/i,
  },
]

/** Takes connections in place of a service and keeps what it is told. */
class Imposter {
  readonly heard: Buffer[] = []
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(server: Server, event: 'connection' | 'secureConnection') {
    this.#server = server
    server.on('tlsClientError', () => {})
    server.on('connection', (socket) => this.#sockets.add(socket))
    server.on(event, (socket: Socket) => {
      socket.on('error', () => {})
      socket.on('data', (bytes) => {
        this.heard.push(bytes)
        if (event === 'connection') socket.end('this is no TLS\r\n')
      })
    })
  }

  /** Speaks TLS with this certificate, and hears what is said inside of it. */
  static ofTls({ certPem, keyPem }: SelfSigned): Promise<Imposter> {
    return Imposter.#listening(createTlsServer({ cert: certPem, key: keyPem }), 'secureConnection')
  }

  /** Speaks no TLS, and hears all. */
  static ofPlain(): Promise<Imposter> {
    return Imposter.#listening(createServer(), 'connection')
  }

  static async #listening(
    server: Server,
    event: 'connection' | 'secureConnection',
  ): Promise<Imposter> {
    const imposter = new Imposter(server, event)
    await once(server.listen(0, '127.0.0.1'), 'listening')
    servers.push(imposter)
    return imposter
  }

  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

/** Starts an encryptor whose link leads to the imposter; resolves to the one line that it ends with. */
async function refusal(link: Link, imposter: Imposter, trusted: SelfSigned): Promise<string> {
  const place = bench.newPlace('tls')
  const caFile = bench.fileOf(place, 'ca.pem', trusted.certPem)
  await bench.kafka.createTopic(place.topic, 1)
  const env: Record<string, string> = link.trustsByNode ? { NODE_EXTRA_CA_CERTS: caFile } : {}
  const config = place.config(link.changes(imposter.address, caFile))
  const ending = await runCommand(['run', '--config', config], env)
  expect(ending).toMatchObject({ code: 1, stdout: '' })
  const plain = ending.stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('{'))
  expect(plain).toEqual([expect.stringMatching(/^sealstream: .* \[SEAL_[A-Z_]+\]$/)])
  expect(plain[0]).toContain(imposter.address)
  return plain[0] as string
}

describe.each(links)('$name over TLS', (link) => {
  test.each(faults)('refuses $what, and says so', async ({ certificate, trusted, reason }) => {
    const server = certificate()
    const imposter = await Imposter.ofTls(server)
    expect(await refusal(link, imposter, trusted(server))).toMatch(reason)
    expect(imposter.heard).toEqual([])
  })

  test('says nothing in the clear to a server that speaks no TLS', async () => {
    const imposter = await Imposter.ofPlain()
    await refusal(link, imposter, selfSigned())
    expect(imposter.heard.length).toBeGreaterThan(0)
    expect(imposter.heard.filter((bytes) => bytes[0] !== HANDSHAKE)).toEqual([])
  })
})

test('all links over TLS with good certificates seal', async () => {
  const place = bench.newPlace('tls-good')
  const tls = selfSigned()
  const caFile = bench.fileOf(place, 'ca.pem', tls.certPem)
  const { s3, kms } = bench.stack
  const before = (target: string) => bench.beforeTcp(target, { tls })
  const broker = await bench.beforeTcp(bench.broker, { tls, protocol: kafkaProtocol })
  const changes = {
    'kafka.brokers': [broker.address],
    'kafka.tls': { enabled: true, caFile },
    'cassandra.contactPoints': [(await before(bench.node)).address],
    'cassandra.tls': { enabled: true, caFile },
    's3.endpoint': `https://${(await before(s3.endpoint)).address}`,
    'kms.aws.endpoint': `https://${(await before(kms.endpoint)).address}`,
  }
  await sealUnderFault(bench, place, { changes, env: { NODE_EXTRA_CA_CERTS: caFile } })
})
