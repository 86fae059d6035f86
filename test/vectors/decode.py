"""A second implementation of the segment format, written from docs/format.md alone.

It shares nothing with the product: one file, the standard library and the `cryptography` package.

  decode.py open FILE...     opens vectors; one line of JSON a file: messages, or the refusal
  decode.py encode FILE...   seals the input of vectors; one line of JSON a file: the output
  decode.py accumulate N     seals N segments made from the SHAKE-128 stream; the SHA-256 of them all

A FILE is a vector of v1/positive or v1/negative; README.md says what is in them.
"""

import base64
import hashlib
import hmac
import json
import re
import struct
import sys
import uuid
import zlib
from datetime import datetime, timezone
from urllib.parse import quote

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA512, SHA512_256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MIB = 1024 * 1024
MAGIC = bytes.fromhex("895353470d0a1a0a")
FOOTER_MAGIC = bytes.fromhex("53534654")
END_MAGIC = bytes.fromhex("895353450d0a1a0a")
HEADER_BYTES, PREFIX_BYTES, FRAME_HEADER_BYTES, OVERHEAD_BYTES = 160, 128, 20, 36
SAFE_MAX = 2**53 - 1
TIME_MAX = 8_640_000_000_000_000
FRAME_MAX = 64 * MIB + OVERHEAD_BYTES
FOOTER_MAX = 28 * MIB
TOPIC = r"[A-Za-z0-9._-]+"
UNESCAPED = "!'()*-._~"


class Refused(Exception):
    """A failure with the code and the step that docs/format.md gives it."""

    def __init__(self, code, step):
        super().__init__(f"{code} at {step}")
        self.code, self.step = code, step


class Bytes:
    """Reads forward through bytes; running out of them is SEAL_MALFORMED at `step`."""

    def __init__(self, data, step):
        self.data, self.at, self.step = data, 0, step

    def take(self, count):
        if count < 0 or self.at + count > len(self.data):
            raise Refused("SEAL_MALFORMED", self.step)
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, form):
        return struct.unpack(">" + form, self.take(struct.calcsize(">" + form)))[0]

    def varint(self):
        value = 0
        for i in range(8):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                demand((byte != 0 or i == 0) and value <= SAFE_MAX, self.step)
                return value
        raise Refused("SEAL_MALFORMED", self.step)

    def text(self, count):
        try:
            return self.take(count).decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("SEAL_MALFORMED", self.step) from None


def demand(holds, step, code="SEAL_MALFORMED"):
    if not holds:
        raise Refused(code, step)


# Ids and texts


def id_text(raw):
    return str(uuid.UUID(bytes=raw))


def id_bytes(text):
    return uuid.UUID(text).bytes


def to_base64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def from_base64url(text, step):
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise Refused("SEAL_MALFORMED", step) from None
    demand(text != "" and to_base64url(raw) == text, step)
    return raw


def from_percent(text, step):
    demand(re.fullmatch(r"(?:[^%]|%[0-9A-Fa-f]{2})+", text, re.DOTALL), step)
    raw = re.sub(
        rb"%([0-9A-Fa-f]{2})", lambda m: bytes.fromhex(m[1].decode()), text.encode("utf-8")
    )
    decoded = Bytes(raw, step).text(len(raw))
    demand(quote(decoded, safe=UNESCAPED) == text, step)
    return decoded


# Header, keys, metadata


def context_of(dek_id, domain):
    return {"app": "sealstream", "dek": dek_id, "domain": domain, "v": "1"}


def context_hash(context):
    pairs = [[name, context[name]] for name in sorted(context)]
    text = json.dumps(pairs, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).digest()


def parse_header(raw):
    step = "structure"
    demand(len(raw) == HEADER_BYTES and raw[:8] == MAGIC, step)
    demand(raw[8:10] == b"\1\1", step, "SEAL_SUITE_UNKNOWN")
    demand(raw[10:16] == b"\0\xa0\0\0\0\0" and raw[36:40] == bytes(4), step)
    demand(raw[32:36] != bytes(4), step)
    return {
        "raw": raw,
        "segmentId": id_text(raw[16:32]),
        "dekId": id_text(raw[40:56]),
        "salt": raw[56:88],
        "createdAtMs": struct.unpack(">q", raw[88:96])[0],
        "contextHash": raw[96:128],
        "commitment": raw[128:],
    }


def derive(dek, salt, prefix):
    info = b"sealstream/v1/segment\0" + prefix
    okm = HKDF(algorithm=SHA512(), length=108, salt=salt, info=info).derive(dek)
    return okm[:32], okm[32:44], okm[44:76], okm[76:]


def parse_metadata(pairs):
    step = "structure"
    demand(pairs.get("ss-v") == "1", step)
    names = ("ss-v", "ss-h", "ss-k", "ss-kek", "ss-domain", "ss-cluster", "ss-u")
    demand(sum(len(name) + len(pairs.get(name, "").encode()) for name in names) <= 2048, step)
    wrapped = from_base64url(pairs.get("ss-k", ""), step)
    demand(1 <= len(wrapped) <= 1024, step)
    header = parse_header(from_base64url(pairs.get("ss-h", ""), step))
    kek_id, domain, cluster_id, _ = [from_percent(pairs.get(name, ""), step) for name in names[3:]]
    texts = {"kekId": kek_id, "domain": domain, "clusterId": cluster_id}
    return {"wrapped": wrapped, "header": header, **texts}


def unlock(metadata, place):
    """From metadata to the keys of the segment: allow-list, unwrap, context, commitment."""
    header, kek_id = metadata["header"], metadata["kekId"]
    is_trusted = any(kek_id == one or kek_id.endswith(":key/" + one) for one in place["allowedKekIds"])
    demand(is_trusted, "allow-list", "SEAL_KEK_NOT_ALLOWED")
    context = context_of(header["dekId"], metadata["domain"])
    dek = unwrap(place["kms"], kek_id, metadata["wrapped"].hex(), context)
    is_bound = hmac.compare_digest(context_hash(context), header["contextHash"])
    demand(is_bound, "context", "SEAL_COMMITMENT_MISMATCH")
    *keys, commitment = derive(dek, header["salt"], header["raw"][:PREFIX_BYTES])
    is_committed = hmac.compare_digest(commitment, header["commitment"])
    demand(is_committed, "commitment", "SEAL_COMMITMENT_MISMATCH")
    return keys


def unwrap(kms, kek_id, wrapped, context):
    for entry in kms:
        if (entry["kekId"], entry["wrapped"], entry["context"]) == (kek_id, wrapped, context):
            demand(len(entry["dek"]) == 64, "unwrap", "SEAL_KMS_REFUSED")
            return bytes.fromhex(entry["dek"])
    raise Refused("SEAL_KMS_REFUSED", "unwrap")


# Frames and parcels


def parse_frame_header(raw, step):
    demand(len(raw) >= OVERHEAD_BYTES, step)
    length, seq, offset, source, zeros = struct.unpack(">IIqHH", raw[:FRAME_HEADER_BYTES])
    demand(OVERHEAD_BYTES <= length <= len(raw) and zeros == 0 and 0 <= offset <= SAFE_MAX, step)
    return {"length": length, "seq": seq, "offset": offset, "source": source}


def nonce_of(base_nonce, seq):
    return bytes(a ^ b for a, b in zip(base_nonce, bytes(8) + struct.pack(">I", seq)))


def aad_of(segment_id, frame_header, partition, cluster_id, topic):
    texts = [text.encode("utf-8") for text in (cluster_id, topic)]
    tail = b"".join(struct.pack(">H", len(text)) + text for text in texts)
    label = b"sealstream/v1/frame\0"
    return label + id_bytes(segment_id) + frame_header + struct.pack(">i", partition) + tail


def open_frame(keys, segment_id, cluster_id, topic, partition, raw):
    frame = parse_frame_header(raw, "frame")
    head = raw[:FRAME_HEADER_BYTES]
    body = raw[FRAME_HEADER_BYTES : frame["length"]]
    aad = aad_of(segment_id, head, partition, cluster_id, topic)
    try:
        return AESGCM(keys[0]).decrypt(nonce_of(keys[1], frame["seq"]), body, aad)
    except InvalidTag:
        raise Refused("SEAL_OPEN_FAILED", "frame") from None


def read_nullable(source):
    length = source.number("i")
    return None if length == -1 else source.take(length)


def parse_parcel(raw):
    source = Bytes(raw, "parcel")
    version, flags = source.take(2)
    demand(version != 2 or any(raw[1:]), "parcel", "SEAL_SHREDDED")
    demand(version == 1 and flags in (0, 1), "parcel")
    timestamp = source.number("q")
    key, value = read_nullable(source), read_nullable(source)
    headers = [(source.take(source.number("H")), read_nullable(source)) for _ in range(source.number("H"))]
    demand(source.at == len(raw), "parcel")
    return {"key": key, "value": value, "headers": headers, "timestampMs": timestamp, "append": flags == 1}


def message_json(topic, partition, offset, seq, parcel):
    def plain(raw):
        return None if raw is None else raw.hex()

    return {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "seq": seq,
        "key": plain(parcel["key"]),
        "value": plain(parcel["value"]),
        "headers": [[plain(name), plain(value)] for name, value in parcel["headers"]],
        "timestampMs": str(parcel["timestampMs"]),
        "timestampType": "append" if parcel["append"] else "create",
    }


# Footer


def parse_footer(data):
    step = "structure"
    demand(len(data) >= HEADER_BYTES + 66 and data[-8:] == END_MAGIC, step)
    footer_length, checksum = struct.unpack(">II", data[-16:-8])
    demand(66 <= footer_length <= min(len(data) - HEADER_BYTES, FOOTER_MAX), step)
    footer = data[-footer_length:]
    demand(zlib.crc32(footer[:-12]) == checksum, step)
    source = Bytes(footer[:-48], step)
    demand(source.take(4) == FOOTER_MAGIC, step)
    frame_count, source_count, frames_end = source.number("I"), source.number("H"), source.number("Q")
    demand(1 <= frame_count <= 2**20 and 1 <= source_count <= 4096, step)
    demand(frames_end + footer_length == len(data), step)
    sources = [parse_source(source) for _ in range(source_count)]
    frames = parse_index(source, frame_count, source_count)
    last = frames[-1]
    demand(source.at == len(source.data) and last["position"] + last["length"] == frames_end, step)
    return {"sources": sources, "frames": frames, "covered": footer[:-48], "tag": footer[-48:-16]}


def parse_source(source):
    partition, cluster_length, topic_length = source.number("i"), source.number("H"), source.number("H")
    cluster_id, topic = source.text(cluster_length), source.text(topic_length)
    demand(partition >= 0 and len(topic) <= 249 and re.fullmatch(TOPIC, topic), source.step)
    return {"partition": partition, "clusterId": cluster_id, "topic": topic}


def parse_index(source, frame_count, source_count):
    position, next_seq, last_offsets, frames = HEADER_BYTES, 0, [0] * source_count, []
    for _ in range(frame_count):
        length, seq, number = source.varint(), next_seq + source.varint(), source.varint()
        demand(OVERHEAD_BYTES < length <= FRAME_MAX and seq < 2**32, source.step)
        demand(number < source_count, source.step)
        offset = last_offsets[number] + source.varint()
        demand(offset <= SAFE_MAX, source.step)
        frame = {"length": length, "seq": seq, "source": number, "offset": offset}
        frames.append({"position": position, **frame})
        last_offsets[number], next_seq = offset, seq + 1
        position += length
    return frames


def footer_mac(footer_key, header, covered):
    mac = HMAC(footer_key, SHA512_256())
    mac.update(b"sealstream/v1/footer\0" + header + covered)
    return mac


# Reading


def read_reference(text, place):
    reference = parse_reference(text)
    demand(reference["object"] == place["objectKey"], "range", "SEAL_OBJECT_MISSING")
    position, length = reference["position"], reference["length"]
    raw = bytes.fromhex(place["object"])[position : position + length]
    demand(len(raw) == length, "range")
    metadata = parse_metadata(place["metadata"])
    keys = unlock(metadata, place)
    segment_id = metadata["header"]["segmentId"]
    demand(reference["object"].endswith(f"/{segment_id}.seal"), "place", "SEAL_CONTEXT_MISMATCH")
    frame = parse_frame_header(raw, "place")
    is_it = frame["length"] == length and frame["offset"] == reference["offset"]
    demand(is_it, "place", "SEAL_CONTEXT_MISMATCH")
    topic, partition = reference["topic"], reference["partition"]
    parcel = open_frame(keys, segment_id, metadata["clusterId"], topic, partition, raw)
    return [message_json(topic, partition, frame["offset"], frame["seq"], parse_parcel(parcel))]


def parse_reference(text):
    step, code = "reference", "SEAL_REFERENCE_INVALID"
    demand(len(text) <= 4096, step, code)
    try:
        fields = json.loads(text)
    except ValueError:
        raise Refused(code, step) from None
    demand(isinstance(fields, dict), step, code)

    def whole(name, low, high):
        value = fields.get(name)
        demand(isinstance(value, (int, float)) and not isinstance(value, bool), step, code)
        demand(low <= value <= high and value == int(value), step, code)
        fields[name] = int(value)

    def matches(name, form, longest):
        value = fields.get(name)
        demand(isinstance(value, str) and len(value) <= longest and re.fullmatch(form, value), step, code)

    whole("v", 1, 1)
    matches("object", r"[A-Za-z0-9!_.*'()%/-]+\.seal", 1029)
    demand(not {"", ".", ".."} & set(fields["object"].split("/")), step, code)
    matches("topic", TOPIC, 249)
    whole("partition", 0, 2**31 - 1)
    whole("offset", 0, SAFE_MAX)
    whole("position", 0, 4096 * MIB)
    whole("length", OVERHEAD_BYTES, min(FRAME_MAX, 4096 * MIB - fields["position"]))
    return fields


def verify_object(place):
    data, step = bytes.fromhex(place["object"]), "structure"
    stored = parse_header(data[:HEADER_BYTES])
    metadata = parse_metadata(place["metadata"])
    header = metadata["header"]
    demand(stored == header, step)
    demand(abs(header["createdAtMs"]) <= TIME_MAX, step)
    named = place["objectKey"].endswith(f"/{header['segmentId']}.seal")
    demand(named, step, "SEAL_CONTEXT_MISMATCH")
    footer = parse_footer(data)
    demand(all(source["clusterId"] == metadata["clusterId"] for source in footer["sources"]), step)
    keys = unlock(metadata, place)
    try:
        footer_mac(keys[2], header["raw"], footer["covered"]).verify(footer["tag"])
    except InvalidSignature:
        raise Refused("SEAL_OPEN_FAILED", "footer-tag") from None
    segment_id, sources = header["segmentId"], footer["sources"]
    return [verify_frame(keys, segment_id, sources, entry, data) for entry in footer["frames"]]


def verify_frame(keys, segment_id, sources, entry, data):
    source, at = sources[entry["source"]], entry["position"]
    raw = data[at : at + entry["length"]]
    demand({**parse_frame_header(raw, "place"), "position": at} == entry, "place")
    topic, partition = source["topic"], source["partition"]
    parcel = open_frame(keys, segment_id, source["clusterId"], topic, partition, raw)
    return message_json(topic, partition, entry["offset"], entry["seq"], parse_parcel(parcel))


# Writing


def varint(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def nullable(text):
    return b"\xff\xff\xff\xff" if text is None else struct.pack(">i", len(text) // 2) + bytes.fromhex(text)


def parcel_of(message):
    is_append = message["timestampType"] == "append"
    out = struct.pack(">BBq", 1, int(is_append), int(message["timestampMs"]))
    out += nullable(message["key"]) + nullable(message["value"]) + struct.pack(">H", len(message["headers"]))
    for name, value in message["headers"]:
        out += struct.pack(">H", len(name) // 2) + bytes.fromhex(name) + nullable(value)
    return out


def header_of(given, hashed):
    minute = given["createdAtMs"] // 60_000 * 60_000
    prefix = MAGIC + struct.pack(">BBHI", 1, 1, HEADER_BYTES, 0) + id_bytes(given["segmentId"])
    prefix += struct.pack(">II", given["generation"], 0) + id_bytes(given["dekId"])
    prefix += bytes.fromhex(given["salt"]) + struct.pack(">q", minute) + hashed
    *keys, commitment = derive(bytes.fromhex(given["dek"]), bytes.fromhex(given["salt"]), prefix)
    return keys, prefix + commitment


def seal(given):
    """Seals the input of a vector; the same output as the product makes of it."""
    hashed = context_hash(context_of(given["dekId"], given["keyDomain"]))
    keys, header = header_of(given, hashed)
    object_key = object_key_of(given)
    sources, last_offsets, index, references, body, next_seq = [], [], b"", [], header, 0
    for message in given["messages"]:
        place = (message["topic"], message["partition"])
        if place not in sources:
            sources.append(place)
            last_offsets.append(0)
        number, offset, seq = sources.index(place), message["offset"], message["seq"]
        parcel = parcel_of(message)
        head = struct.pack(">IIqHH", len(parcel) + OVERHEAD_BYTES, seq, offset, number, 0)
        aad = aad_of(given["segmentId"], head, place[1], given["clusterId"], place[0])
        frame = head + AESGCM(keys[0]).encrypt(nonce_of(keys[1], seq), parcel, aad)
        steps = (len(frame), seq - next_seq, number, offset - last_offsets[number])
        index += b"".join(map(varint, steps))
        at = {"v": 1, "object": object_key, "topic": place[0], "partition": place[1], "offset": offset}
        at.update(position=len(body), length=len(frame))
        references.append(json.dumps(at, separators=(",", ":")))
        last_offsets[number], next_seq = offset, seq + 1
        body += frame
    covered = FOOTER_MAGIC + struct.pack(">IHQ", len(references), len(sources), len(body))
    covered += b"".join(source_of(given["clusterId"], *place) for place in sources) + index
    sealed = covered + footer_mac(keys[2], header, covered).finalize()
    sealed += struct.pack(">I", len(sealed) + 16)
    sealed += struct.pack(">I", zlib.crc32(sealed)) + END_MAGIC
    return {
        "objectKey": object_key,
        "header": header.hex(),
        "kmsContextHash": hashed.hex(),
        "metadata": metadata_of(given, header),
        "object": (body + sealed).hex(),
        "references": references,
    }


def source_of(cluster_id, topic, partition):
    cluster, name = cluster_id.encode("utf-8"), topic.encode("utf-8")
    return struct.pack(">iHH", partition, len(cluster), len(name)) + cluster + name


def object_key_of(given):
    hour = datetime.fromtimestamp(given["createdAtMs"] / 1000, timezone.utc).strftime("%Y/%m/%d/%H")
    domain = quote(given["keyDomain"], safe=UNESCAPED)
    return f"{given['prefix']}/segments/{domain}/{hour}/{given['segmentId']}.seal"


def metadata_of(given, header):
    return {
        "ss-v": "1",
        "ss-h": to_base64url(header),
        "ss-k": to_base64url(bytes.fromhex(given["wrapped"])),
        "ss-kek": quote(given["kekId"], safe=UNESCAPED),
        "ss-domain": quote(given["keyDomain"], safe=UNESCAPED),
        "ss-cluster": quote(given["clusterId"], safe=UNESCAPED),
        "ss-u": given["token"],
    }


# The accumulated vector (README.md, "Accumulated")


def accumulate(count):
    stream = Bytes(hashlib.shake_128(b"sealstream/v1/accumulated").digest(count * 1024), "stream")
    total = hashlib.sha256()
    for _ in range(count):
        total.update(bytes.fromhex(seal(stream_input(stream))["object"]))
    return total.hexdigest()


def stream_input(stream):
    given = {
        "prefix": "sealed",
        "keyDomain": "accumulated",
        "clusterId": "cluster",
        "kekId": "kek",
        "wrapped": "00",
        "token": "00000000-0000-0000-0000-000000000000",
        "dek": stream.take(32).hex(),
        "salt": stream.take(32).hex(),
        "segmentId": id_text(stream.take(16)),
        "dekId": id_text(stream.take(16)),
        "generation": stream.number("H") + 1,
        "createdAtMs": int.from_bytes(stream.take(5), "big"),
    }
    offset, seq, messages = int.from_bytes(stream.take(6), "big"), -1, []
    for _ in range(1 + stream.number("B") % 4):
        offset += 1 + stream.number("B")
        seq += 1 + stream.number("B") % 2
        messages.append({"offset": offset, "seq": seq, **stream_message(stream)})
    return {**given, "messages": messages}


def stream_message(stream):
    flags, topic, partition = stream.number("B"), stream.number("B"), stream.number("B")
    timestamp = stream.number("q")
    key = stream.take(stream.number("B") % 16).hex()
    value = stream.take(stream.number("B") % 64).hex()
    headers = []
    for i in range(stream.number("B") % 3):
        name = stream.take(stream.number("B") % 8).hex()
        headers.append([name, None if flags >> (4 + i) & 1 else stream.take(stream.number("B") % 8).hex()])
    return {
        "topic": f"t{topic % 3}",
        "partition": partition % 4,
        "key": None if flags & 1 else key,
        "value": None if flags & 2 else value,
        "headers": headers,
        "timestampMs": str(timestamp),
        "timestampType": "append" if flags & 4 else "create",
    }


# The command line


def place_of(vector):
    """What a reader finds: a negative vector says it, a positive one implies it."""
    if "input" not in vector:
        return vector
    given, output = vector["input"], vector["output"]
    context = context_of(given["dekId"], given["keyDomain"])
    wrap = {"kekId": given["kekId"], "wrapped": given["wrapped"], "context": context, "dek": given["dek"]}
    return {**output, "kms": [wrap], "allowedKekIds": [given["kekId"]]}


def open_vector(vector):
    """The messages of the whole object; of a positive vector they are read by reference as well."""
    place = place_of(vector)
    try:
        if "reference" in place:
            return {"messages": read_reference(place["reference"], place)}
        messages = verify_object(place)
        by_reference = [read_reference(text, place)[0] for text in place.get("references", [])]
        if by_reference and by_reference != messages:
            raise AssertionError("the references open other messages than the whole object")
        return {"messages": messages}
    except Refused as refused:
        return {"refused": {"step": refused.step, "code": refused.code}}


def canonical(value):
    return json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def main(arguments):
    command, *rest = arguments or [""]
    if command == "accumulate" and len(rest) == 1:
        print(accumulate(int(rest[0])))
    elif command in ("open", "encode") and rest:
        for path in rest:
            vector = load(path)
            print(canonical(open_vector(vector) if command == "open" else seal(vector["input"])))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
