/** An uncompressed BMP. */
export function picture(width, height) {
  const row = Math.ceil(width * 3 / 4) * 4;
  const view = new DataView(new ArrayBuffer(54 + row * height));
  view.setUint16(0, 0x424d);
  for (const [at, value] of [[2, view.byteLength], [10, 54], [14, 40], [18, width], [22, height], [34, row * height]]) {
    view.setUint32(at, value, true);
  }
  view.setUint16(26, 1, true);
  view.setUint16(28, 24, true);
  return new Uint8Array(view.buffer);
}
