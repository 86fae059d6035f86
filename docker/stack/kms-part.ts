import { randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CreateKeyCommand,
  DescribeKeyCommand,
  EncryptCommand,
  KMSClient,
  NotFoundException,
} from '@aws-sdk/client-kms'
import { partFolder } from './install.ts'
import type { Part, PartContext } from './part.ts'
import type { StackEndpoints, StackPorts } from './stack-model.ts'

const MATERIAL_BYTES = 32

/** AWS KMS as LocalStack serves it, and nothing else of LocalStack. */
export const kmsPart: Part = {
  name: 'kms',
  portNames: ['kms'],
  graceMs: 10_000,
  address: (ports) => kmsEndpoint(ports).endpoint,
  async plan({ directory, ports }) {
    const root = join(directory, 'data', 'kms', 'localstack')
    mkdirSync(root, { recursive: true })
    return {
      command: join(partFolder('kms'), 'bin', 'python'),
      args: ['-m', 'localstack.runtime.main'],
      cwd: root,
      env: {
        SERVICES: 'kms',
        EAGER_SERVICE_LOADING: '1',
        STRICT_SERVICE_LOADING: '1',
        DISABLE_EVENTS: '1',
        SKIP_SSL_CERT_DOWNLOAD: '1',
        DNS_ADDRESS: '0',
        LS_LOG: 'error',
        // The server drops an IPv4 host and listens on every interface; an IPv6 one it keeps. This
        // is 127.0.0.1 in IPv6 clothes: a KMS that takes any credentials stays on this machine.
        GATEWAY_LISTEN: `[::ffff:127.0.0.1]:${ports.kms}`,
        FILESYSTEM_ROOT: root,
        LOCALSTACK_VOLUME_DIR: root,
      },
    }
  },
  furnish,
  probe,
}

/** Address, KEK and credentials of the KMS. */
export function kmsEndpoint(ports: StackPorts): StackEndpoints['kms'] {
  return {
    endpoint: `http://127.0.0.1:${ports.kms}`,
    region: 'us-east-1',
    keyId: '5ea15eed-0000-4000-8000-000000000001',
    accessKeyId: 'sealstream',
    secretAccessKey: 'sealstream-local-secret',
  }
}

/**
 * Creates the KEK. LocalStack forgets its keys when it ends, so id and material are fixed: a KEK
 * made again is the same KEK, and DEKs wrapped before a restart still unwrap.
 */
async function furnish({ directory, ports }: PartContext): Promise<void> {
  await checkHealth(ports)
  await withClient(ports, async (client, KeyId) => {
    const known = await client.send(new DescribeKeyCommand({ KeyId })).catch((error: Error) => {
      if (error instanceof NotFoundException) return null
      throw error
    })
    if (known !== null) return
    const material = kekMaterial(directory).toString('base64')
    const Tags = [
      { TagKey: '_custom_id_', TagValue: KeyId },
      { TagKey: '_custom_key_material_', TagValue: material },
    ]
    await client.send(new CreateKeyCommand({ Description: 'sealstream KEK', Tags }))
  })
}

async function probe({ ports }: PartContext): Promise<void> {
  await checkHealth(ports)
  const Plaintext = Buffer.from('probe')
  await withClient(ports, (client, KeyId) => client.send(new EncryptCommand({ KeyId, Plaintext })))
}

async function checkHealth(ports: StackPorts): Promise<void> {
  const url = `${kmsEndpoint(ports).endpoint}/_localstack/health`
  const health = await fetch(url, { signal: AbortSignal.timeout(5_000) })
  if (!health.ok) throw new Error(`GET /_localstack/health answers ${health.status}`)
}

function kekMaterial(directory: string): Buffer {
  const folder = join(directory, 'data', 'kms')
  const path = join(folder, 'kek-material')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(path, randomBytes(MATERIAL_BYTES), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(path)
}

async function withClient(
  ports: StackPorts,
  work: (client: KMSClient, keyId: string) => Promise<unknown>,
): Promise<void> {
  const { endpoint, region, keyId, accessKeyId, secretAccessKey } = kmsEndpoint(ports)
  const client = new KMSClient({
    endpoint,
    region,
    maxAttempts: 1,
    credentials: { accessKeyId, secretAccessKey },
    requestHandler: { requestTimeout: 10_000, throwOnRequestTimeout: true },
  })
  try {
    await work(client, keyId)
  } finally {
    client.destroy()
  }
}
