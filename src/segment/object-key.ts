/** Where the segments and the key directory stand in the bucket; `prefix` has no slash at its ends. */
export interface ObjectNames {
  readonly prefix: string
}

/** `<prefix>/segments/`: every segment lies under it. */
export function segmentFolder({ prefix }: ObjectNames): string {
  return `${prefix}/segments/`
}

/** `<prefix>/segments/<domain>/<yyyy>/<mm>/<dd>/<hh>/<segment-id>.seal`, in UTC. */
export function segmentObjectKey(
  names: ObjectNames,
  keyDomain: string,
  segmentId: string,
  createdAtMs: number,
): string {
  const hour = new Date(createdAtMs)
    .toISOString()
    .slice(0, 13)
    .replace('T', '-')
    .replaceAll('-', '/')
  return `${domainFolder(names, keyDomain)}${hour}/${segmentId}.seal`
}

/** Where all segments of a key domain lie. */
export function domainFolder(names: ObjectNames, keyDomain: string): string {
  return `${segmentFolder(names)}${encodeURIComponent(keyDomain)}/`
}

/** `<prefix>/shredded/<segment-id>.json`: the mark that the segment was destroyed on purpose. */
export function shredMarkKey({ prefix }: ObjectNames, segmentId: string): string {
  return `${prefix}/shredded/${segmentId}.json`
}

/** `<prefix>/deks/`: the key directory. */
export function dekFolder({ prefix }: ObjectNames): string {
  return `${prefix}/deks/`
}

/** `<prefix>/deks/<dek-id>.json`: one small object a DEK. */
export function dekObjectKey(names: ObjectNames, dekId: string): string {
  return `${dekFolder(names)}${dekId}.json`
}
