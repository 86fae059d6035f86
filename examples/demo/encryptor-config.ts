import { mkdirSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { stringify } from 'yaml'
import type { StackEndpoints } from '../../docker/stack/stack.ts'

/** Small enough that the flights need several data keys. */
const WINDOW_MESSAGES_MAX = 50_000

/** Writes the configuration of an encryptor over the demo's stack. Holds local credentials: 0600. */
export function writeConfig(
  path: string,
  endpoints: StackEndpoints,
  topics: readonly string[],
  httpPort: number,
): void {
  const { kafka, cassandra, s3, kms } = endpoints
  const { keyId, ...aws } = kms
  const config = {
    kafka: { brokers: kafka.brokers, topics },
    s3,
    cassandra: { ...cassandra, replicationFactor: 1 },
    kms: { keyId, aws },
    window: { messagesMax: WINDOW_MESSAGES_MAX },
    http: { port: httpPort },
  }
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, stringify(config), { mode: 0o600 })
}

/** A port of this machine that nobody uses now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
