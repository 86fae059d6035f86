import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  PORT_BASE_DEFAULT,
  PORT_NAMES,
  portsFrom,
  portVariable,
} from '../../../docker/stack/ports.ts'
import { s3Endpoint } from '../../../docker/stack/s3-part.ts'
import { PART_NAMES } from '../../../docker/stack/stack-model.ts'

interface ComposeFile {
  readonly services: Record<
    string,
    {
      readonly image?: string
      readonly ports?: readonly string[]
      readonly environment?: Record<string, string>
      readonly healthcheck?: { readonly test: readonly string[] }
      readonly profiles?: readonly string[]
      readonly volumes?: readonly string[]
    }
  >
  readonly volumes: Record<string, unknown>
}

const url = new URL('../../../docker/compose.yaml', import.meta.url)
const compose = parse(readFileSync(url, 'utf8')) as ComposeFile

describe('docker/compose.yaml', () => {
  it.each(PART_NAMES)('publishes %s on the default port of the native stack', (part) => {
    const port = portsFrom(PORT_BASE_DEFAULT)[part]
    const published = `127.0.0.1:\${${portVariable(part)}:-${port}}:`
    expect(compose.services[part]?.ports).toEqual([expect.stringContaining(published)])
    expect(compose.services[part]?.image).toMatch(/:v?\d+\.\d+\.\d+$/)
    expect(compose.services[part]?.healthcheck?.test[0]).toBe('CMD')
  })

  it('knows no port variable that the command line does not', () => {
    const known = new Set(PORT_NAMES.map(portVariable))
    const used = readFileSync(url, 'utf8').match(/SEALSTREAM_STACK_\w+/g) ?? []
    expect(used.filter((name) => !known.has(name))).toEqual([])
  })

  it('has the credentials of the native stack', () => {
    const { accessKeyId, secretAccessKey } = s3Endpoint(portsFrom(PORT_BASE_DEFAULT))
    expect(compose.services.s3?.environment).toEqual({
      ROOT_ACCESS_KEY: accessKeyId,
      ROOT_SECRET_KEY: secretAccessKey,
    })
  })

  it('starts the encryptor by name only, and declares every volume', () => {
    expect(compose.services.encryptor?.profiles).toEqual(['encryptor'])
    const named = Object.values(compose.services)
      .flatMap((service) => service.volumes ?? [])
      .map((volume) => volume.split(':')[0] ?? '')
      .filter((name) => /^[\w-]+$/.test(name))
    expect(named.toSorted()).toEqual(Object.keys(compose.volumes).toSorted())
  })
})
