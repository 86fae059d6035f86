import { systemClock } from '../clock.ts'
import type { Config } from '../config/schema.ts'
import { KekFollower, type KekFollowerServices } from '../keys/kek-follower.ts'
import type { ConfiguredKeks } from '../keys/kek-orders.ts'
import { KEY_DOMAIN_BYTES_MAX } from '../limits.ts'
import { domainKeksOf } from './service-options.ts'

/** The KEKs that a configuration names for new DEKs. KEK orders come before them. */
export function configuredKeksOf({ kms, keyDomain }: Config): ConfiguredKeks {
  return { keyId: kms.keyId, byDomain: domainKeksOf(keyDomain) }
}

/** The key domain that takes the most room in object metadata, or one as long. */
export function longestDomainOf({ keyDomain, kafka }: Config): string {
  if (keyDomain.by === 'header') return '\u00ff'.repeat(KEY_DOMAIN_BYTES_MAX / 2)
  return kafka.topics.toSorted((a, b) => b.length - a.length)[0] ?? ''
}

/** The KEKs of an encryptor: configuration and orders. Every one in force wraps when it resolves. */
export async function startKekFollower(
  config: Config,
  services: Pick<KekFollowerServices, 'log' | 'kms'>,
): Promise<KekFollower> {
  const configured = configuredKeksOf(config)
  const longestDomain = longestDomainOf(config)
  const keks = new KekFollower({ ...services, clock: systemClock, configured, longestDomain })
  await keks.start()
  return keks
}
