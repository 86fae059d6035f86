import { domainRefusal } from '../keys/key-domain.ts'
import { TOPIC_NAME_LENGTH_MAX } from '../limits.ts'
import type { Problem } from './problems.ts'

/**
 * What single values must look like: `[pattern, reason]` or a function that gives the reason.
 * A reason never repeats the value, which may be a secret in the wrong place.
 */

const HOST = String.raw`(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)`
const HOST_AND_PORT = new RegExp(`^(${HOST})(?::(\\d{1,5}))?$`)

/** Kafka's rule for topic names, without the length. */
export const TOPIC_NAME = [
  /^[A-Za-z0-9._-]+$/,
  'must hold only letters, digits, dots, hyphens and underscores',
] as const

/** S3's rule for bucket names. */
export const BUCKET_NAME = [
  /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/,
  'must be a bucket name: 3 to 63 small letters, digits, dots and hyphens',
] as const

/** What an HTTP header can carry as it is. */
export const HEADER_TEXT = [
  /^[\x21-\x7e]+$/,
  'must hold visible ASCII characters and no spaces',
] as const

/** Names that S3 keys may begin with, and other paths of names, without encoding. */
export const OBJECT_PREFIX = [
  /^(?!.*(?:^|\/)\.\.?(?:\/|$))[A-Za-z0-9!_.*'()-]+(?:\/[A-Za-z0-9!_.*'()-]+)*$/,
  'must be names joined by single slashes, none of them "." or "..", no slash at either end',
] as const

/** S3 takes 1,024 bytes for an object key; domain, time and id follow the prefix. */
const PREFIX_LENGTH_MAX = 512

/** The reason against a prefix that leaves no room for the rest of an object key. */
export function refuseLongPrefix(value: string): string | undefined {
  return value.length > PREFIX_LENGTH_MAX
    ? `must have at most ${PREFIX_LENGTH_MAX} characters`
    : undefined
}

/** Cassandra's rule for names that need no quotes. */
export const KEYSPACE_NAME = [
  /^[a-z][a-z0-9_]{0,47}$/,
  'must be a small letter, then up to 47 small letters, digits and underscores',
] as const

/** What a server may listen on. */
export const HOST_NAME = [
  new RegExp(`^(?:${HOST}|[0-9a-fA-F:]+)$`),
  'must be a host name or an IP address',
] as const

const INTERNAL_TOPIC =
  /^__(?:consumer_offsets|transaction_state|share_group_state|cluster_metadata)$/

/** The reason against a topic name. */
export function refuseTopic(name: string): string | undefined {
  if (name === '.' || name === '..') return 'must not be "." or ".."'
  if (INTERNAL_TOPIC.test(name)) {
    return "must not be one of Kafka's own topics, to which every commit adds"
  }
  if (name.length > TOPIC_NAME_LENGTH_MAX) {
    return `must have at most ${TOPIC_NAME_LENGTH_MAX} characters`
  }
  return undefined
}

/** The reason against `host:port`. */
export function refuseHostAndPort(value: string): string | undefined {
  return HOST_AND_PORT.exec(value)?.[2] === undefined
    ? 'must be host:port'
    : refuseContactPoint(value)
}

/** The reason against `host` or `host:port`. */
export function refuseContactPoint(value: string): string | undefined {
  const match = HOST_AND_PORT.exec(value)
  if (match === null) return 'must be host or host:port'
  const port = match[2]
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535)) {
    return 'must have a port from 1 to 65535'
  }
  return undefined
}

/** The reason against the address of an HTTP service. */
export function refuseEndpoint(value: string): string | undefined {
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol)) return 'must be an http or https URL'
  if (url.username !== '' || url.password !== '') {
    return 'must not hold credentials, they have keys of their own'
  }
  if (url.search !== '' || url.hash !== '') return 'must not have a query or a fragment'
  return undefined
}

/** The reason against a KEK id. */
export function refuseKeyId(value: string): string | undefined {
  if (/(?:^|:)alias\//.test(value)) {
    return 'must not be an alias, which can point to another key tomorrow, give the key id or ARN'
  }
  return /^[A-Za-z0-9][A-Za-z0-9:/._-]{0,1023}$/.test(value)
    ? undefined
    : 'must be a key id as the provider names it'
}

/** The reason against the name of a key domain, which becomes a step of object keys. */
export function refuseDomain(value: string): string | undefined {
  return domainRefusal(Buffer.from(value))
}

/** The reason against `domain=key id`. */
export function refuseDomainKek(value: string): string | undefined {
  const at = value.indexOf('=')
  if (at < 1) return 'must be domain=key id'
  return refuseDomain(value.slice(0, at)) ?? refuseKeyId(value.slice(at + 1))
}

/** The problem of an endpoint that would carry credentials readable over the network. */
export function endpointProblems(
  section: string,
  place: { readonly endpoint?: string | undefined; readonly allowPlainHttp: boolean },
  key = 'endpoint',
): Problem[] {
  const { endpoint, allowPlainHttp } = place
  if (endpoint === undefined || allowPlainHttp) return []
  const { protocol, hostname } = new URL(endpoint)
  if (protocol === 'https:' || isLoopback(hostname)) return []
  const reason = `is plain http to another machine, use https or set ${section}.allowPlainHttp: true`
  return [{ path: `${section}.${key}`, reason }]
}

/** The host of `host`, `host:port` or `[v6]:port`, without brackets. */
export function hostOf(value: string): string {
  return (HOST_AND_PORT.exec(value)?.[1] ?? value).replace(/^\[|\]$/g, '')
}

/** Whether traffic to `host` stays on this machine. */
export function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|::1)$/i.test(host.replace(/^\[|\]$/g, ''))
}
