import { LabIcon } from '@jupyterlab/ui-components';

export const jstackmagicIcon = new LabIcon({
  name: 'jstackmagic:environment',
  svgstr: `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="16">
  <path class="jp-icon3 jp-icon-selectable" fill="#616161"
    d="M12 2 2 7l10 5 10-5-10-5zM4.2 10.9 2 12l10 5 10-5-2.200-1.100L12 14.800zM4.200 15.900 2 17l10 5 10-5-2.200-1.100L12 19.800z"/>
</svg>`
});
