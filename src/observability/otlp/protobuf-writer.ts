/** How many bytes a length is given, so that it can be filled in when what it counts has been written. */
const LENGTH_BYTES = 4;
/** The most that the number of a field and a scalar value take. */
const SCALAR_BYTES = 16;
const TWO_32 = 2 ** 32;

/**
 * Writes protobuf messages (protobuf.dev/programming-guides/encoding) into one buffer that grows. The
 * lengths of messages and of long texts are padded, which every reader of varints accepts: nothing has to
 * be measured before, or moved after, it is written.
 */
export class ProtobufWriter {
  #buffer: Buffer;
  #length = 0;

  /** @param size in bytes, of the buffer before it grows. */
  constructor(size: number) {
    this.#buffer = Buffer.allocUnsafe(size);
  }

  /** In bytes, of what has been written. */
  get length(): number {
    return this.#length;
  }

  /** What has been written, not copied. */
  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Begins a field that is a message. @returns what {@link end} takes. */
  begin(field: number): number {
    this.#reserve(SCALAR_BYTES);
    this.#tag(field, 2);
    this.#length += LENGTH_BYTES;
    return this.#length;
  }

  end(start: number): void {
    const length = this.#length - start;
    const at = start - LENGTH_BYTES;
    this.#buffer[at] = length | 0x80;
    this.#buffer[at + 1] = (length >>> 7) | 0x80;
    this.#buffer[at + 2] = (length >>> 14) | 0x80;
    this.#buffer[at + 3] = length >>> 21;
  }

  string(field: number, text: string): void {
    this.#reserve(SCALAR_BYTES + 3 * text.length);
    if (text.length < 0x80 && this.#shortAscii(field, text)) return;
    const start = this.begin(field);
    this.#length += this.#buffer.write(text, this.#length);
    this.end(start);
  }

  /** A field of type bytes. @param digits fewer than 256, hexadecimal. */
  hex(field: number, digits: string): void {
    this.#reserve(SCALAR_BYTES + digits.length);
    this.#tag(field, 2);
    this.#buffer[this.#length++] = digits.length / 2;
    this.#length += this.#buffer.write(digits, this.#length, "hex");
  }

  /** A field of an integer type or bool. @param value a safe integer, 0 or more. */
  varint(field: number, value: number): void {
    this.#reserve(SCALAR_BYTES);
    this.#tag(field, 0);
    let rest = value;
    while (rest >= 0x80) {
      this.#buffer[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#length++] = rest;
  }

  double(field: number, value: number): void {
    this.#reserve(SCALAR_BYTES);
    this.#tag(field, 1);
    this.#length = this.#buffer.writeDoubleLE(value, this.#length);
  }

  fixed32(field: number, value: number): void {
    this.#reserve(SCALAR_BYTES);
    this.#tag(field, 5);
    this.#length = this.#buffer.writeUInt32LE(value, this.#length);
  }

  /** A field of type fixed64 that is a time in nanoseconds. @param ms since 1970; finer than microseconds is lost. */
  nanoseconds(field: number, ms: number): void {
    this.#reserve(SCALAR_BYTES);
    this.#tag(field, 1);
    const microseconds = Math.round(ms * 1000);
    // Nanoseconds are more than a number holds exactly: they are counted in two halves.
    const low = (microseconds % TWO_32) * 1000;
    const high = Math.floor(microseconds / TWO_32) * 1000 + Math.floor(low / TWO_32);
    this.#length = this.#buffer.writeUInt32LE(low % TWO_32, this.#length);
    this.#length = this.#buffer.writeUInt32LE(high, this.#length);
  }

  /** @returns false, with nothing written, for a text that is not ASCII. */
  #shortAscii(field: number, text: string): boolean {
    const start = this.#length;
    this.#tag(field, 2);
    this.#buffer[this.#length++] = text.length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) {
        this.#length = start;
        return false;
      }
      this.#buffer[this.#length++] = code;
    }
    return true;
  }

  #tag(field: number, wireType: number): void {
    const tag = (field << 3) | wireType;
    if (tag < 0x80) {
      this.#buffer[this.#length++] = tag;
    } else {
      this.#buffer[this.#length++] = (tag & 0x7f) | 0x80;
      this.#buffer[this.#length++] = tag >>> 7;
    }
  }

  #reserve(bytes: number): void {
    if (this.#length + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(2 * this.#buffer.length + bytes);
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
  }
}
