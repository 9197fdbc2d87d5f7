// SPDX-License-Identifier: MIT
/**
 * The whole graph, two pixels a row, with the part in sight framed. The picture is made once per data, look and size
 * and then copied, because the frame moves with every frame of a zoom; pixels alone, because a brush makes it anew at
 * every step.
 */
import type { FlameData, FlameLook, FlameRenderer } from './renderer';

interface Picture { readonly canvas: HTMLCanvasElement; data: FlameData | null; fill: FlameLook['fill'] | null; key: string; matched: Uint8Array | null }
const pictures = new WeakMap<HTMLCanvasElement, Picture>();

/** HEIGHT is passed in: asking the page for it here would lay it out in every frame of a brush. */
export function drawMinimap(target: HTMLCanvasElement, height: number, main: FlameRenderer, look: FlameLook): void {
  const dpr = window.devicePixelRatio || 1;
  const width = main.width;
  if (!width || !height) return;
  const deviceWidth = Math.round(width * dpr);
  const deviceHeight = Math.round(height * dpr);
  if (target.width !== deviceWidth || target.height !== deviceHeight) {
    target.width = deviceWidth;
    target.height = deviceHeight;
  }
  let picture = pictures.get(target);
  if (!picture) pictures.set(target, (picture = { canvas: document.createElement('canvas'), data: null, fill: null, key: '', matched: null }));
  const rows = Math.max(1, Math.min(main.rows, 64));
  const key = `${deviceWidth} ${rows} ${look.palette.dark}`;
  if (picture.data !== main.data || picture.fill !== look.fill || picture.key !== key || picture.matched !== look.matched) {
    picture.canvas.width = deviceWidth;
    picture.canvas.height = rows;
    picture.canvas.getContext('2d')!.putImageData(main.thumbnail(look, deviceWidth, rows), 0, 0);
    Object.assign(picture, { data: main.data, fill: look.fill, key, matched: look.matched });
  }
  const context = target.getContext('2d', { alpha: false })!;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = look.palette.background;
  context.fillRect(0, 0, deviceWidth, deviceHeight);
  const drawn = Math.min(deviceHeight, rows * Math.round(4 * dpr));
  context.imageSmoothingEnabled = drawn < rows;
  context.save();
  if (main.flip > 0.5) {
    context.translate(0, deviceHeight);
    context.scale(1, -1);
  }
  context.drawImage(picture.canvas, 0, 0, deviceWidth, rows, 0, 0, deviceWidth, drawn);
  context.restore();
  if (main.to - main.from < 0.9999) {
    const left = Math.round(main.from * deviceWidth);
    const right = Math.max(left + 2, Math.round(main.to * deviceWidth));
    context.fillStyle = look.palette.dark ? 'rgb(0 0 0 / 0.55)' : 'rgb(255 255 255 / 0.65)';
    context.fillRect(0, 0, left, deviceHeight);
    context.fillRect(right, 0, deviceWidth - right, deviceHeight);
    context.strokeStyle = look.palette.text;
    context.lineWidth = Math.round(dpr);
    context.strokeRect(left + 0.5, 0.5, right - left - 1, deviceHeight - 1);
  }
}
