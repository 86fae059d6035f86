import { connectCassandra } from '../adapters/cassandra/connection.ts'
import { CassandraKekOrderLog } from '../adapters/cassandra/kek-order-log.ts'
import { CassandraKeyDesk } from '../adapters/cassandra/key-desk.ts'
import { CassandraMappingReader } from '../adapters/cassandra/mapping-reader.ts'
import { CassandraSegmentRegister } from '../adapters/cassandra/segment-register.ts'
import { CassandraWrapRegister } from '../adapters/cassandra/wrap-register.ts'
import {
  createSigningKeyFile,
  readSigner,
  readTextFile,
} from '../adapters/host/signing-key-file.ts'
import { S3ObjectInventory } from '../adapters/s3/s3-object-inventory.ts'
import { S3ObjectReader } from '../adapters/s3/s3-object-reader.ts'
import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import type { Signer } from '../crypto/signing-key.ts'
import { SealError } from '../errors.ts'
import type { CertificateSources } from '../incident/kek-certificate.ts'
import { configuredKeksOf, longestDomainOf } from './keks.ts'
import { keyDirectoryOf } from './key-directory.ts'
import { openKms, READER_TRIES_MAX } from './kms.ts'
import { cassandraOptionsOf, kmsChoiceOf, s3OptionsOf } from './service-options.ts'

/** Runs `work` with what a certificate is made from, and ends the connections whatever comes of it. */
export async function withCertificateSources<T>(
  config: Config,
  work: (sources: CertificateSources) => Promise<T>,
): Promise<T> {
  const session = await connectCassandra(cassandraOptionsOf(config))
  const inventory = new S3ObjectInventory(s3OptionsOf(config))
  const objects = new S3ObjectReader(s3OptionsOf(config))
  const kms = openKms(kmsChoiceOf(config), { triesMax: READER_TRIES_MAX })
  try {
    return await work({
      mapping: new CassandraMappingReader(session),
      wraps: new CassandraWrapRegister(session),
      register: new CassandraSegmentRegister(session),
      directory: keyDirectoryOf(objects, config.s3),
      store: { inventory, objects },
      use: {
        office: new CassandraKeyDesk(session),
        orders: new CassandraKekOrderLog(session),
        ...{ kms, clock: systemClock },
        configured: configuredKeksOf(config),
        longestDomain: longestDomainOf(config),
      },
    })
  } finally {
    await Promise.all([inventory.close(), objects.close(), kms.close()])
    await session.close()
  }
}

/** Who signs here; null where the configuration names no key. Throws SEAL_SIGNING_KEY_REFUSED. */
export async function signerOfConfig({ certificate }: Config): Promise<Signer | null> {
  const { signingKeyFile } = certificate
  return signingKeyFile === undefined ? null : readSigner(signingKeyFile)
}

/** The same where nothing goes without. */
export async function requiredSigner(config: Config): Promise<Signer> {
  const signer = await signerOfConfig(config)
  if (signer !== null) return signer
  const message =
    'certificate.signingKeyFile names no key; make one: sealstream certificate new-key --out FILE'
  throw new SealError('SEAL_SIGNING_KEY_REFUSED', message)
}

/** Files of keys and statements, for commands without a configuration. */
export const statementFiles = { read: readTextFile, createKey: createSigningKeyFile }
