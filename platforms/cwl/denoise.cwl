#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: CommandLineTool
label: Denoise images with Deep Image Priors chosen by metadata
baseCommand: [autodip-zarr, denoise]
arguments: [--output, denoised, --in-process, --json]
hints:
  DockerRequirement:
    dockerPull: autodip/autodip-zarr:0.1.0
    # the image of platforms/biomero/Dockerfile, with another entry point
  ResourceRequirement:
    ramMin: 4000
inputs:
  source:
    type: [File, Directory]
    doc: OME-TIFF or TIFF; OME-Zarr, or a folder of images
    inputBinding: {position: 1}
  format:
    type:
      - "null"
      - {type: enum, symbols: [ome-tiff, ome-zarr, both]}
    default: ome-tiff
    inputBinding: {prefix: --format}
  preset:
    type:
      - "null"
      - {type: enum, symbols: [reference, standard, best, prior, fast]}
    inputBinding: {prefix: --preset}
  microscope:
    type: string?
    doc: Imaging modality of all channels, over what the metadata says
    inputBinding: {prefix: --microscope}
  specimen:
    type: string?
    doc: Labelled structure of all channels, over what the metadata says
    inputBinding: {prefix: --specimen}
  table:
    type: File?
    doc: Calibration table; the published one if not given
    inputBinding: {prefix: --table}
stdout: denoised.json
outputs:
  results:
    type: Directory
    outputBinding: {glob: denoised}
  summary:
    type: stdout
    doc: What became of each image
