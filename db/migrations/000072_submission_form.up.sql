-- The form of a request, which the API checks too: written by `make generate`, never by hand.
CREATE OR REPLACE FUNCTION weir.submission_form() RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    AS $function$ SELECT $form${
  "type": "object",
  "properties": {
    "callback_secret": {
      "type": "string",
      "minLength": 16,
      "maxLength": 256
    },
    "callback_url": {
      "type": "string",
      "minLength": 1,
      "maxLength": 8192
    },
    "clip": {
      "type": "object",
      "properties": {
        "clock": {
          "type": "string",
          "enum": [
            "source",
            "unix"
          ]
        },
        "end_ms": {
          "type": "integer",
          "minimum": 0,
          "maximum": 253402300799999
        },
        "start_ms": {
          "type": "integer",
          "minimum": 0,
          "maximum": 253402300799999
        }
      },
      "required": [
        "start_ms",
        "end_ms"
      ]
    },
    "events": {
      "type": "array",
      "items": {
        "type": "string",
        "enum": [
          "transcode.queued",
          "transcode.placed",
          "transcode.started",
          "transcode.storing",
          "transcode.succeeded",
          "transcode.failed",
          "transcode.cancelled",
          "transcode.retried",
          "rendition.pushed",
          "rendition.ready",
          "rendition.failed",
          "output.ready"
        ]
      },
      "maxItems": 12
    },
    "events_url": {
      "type": "string",
      "minLength": 1,
      "maxLength": 8192
    },
    "external_id": {
      "type": "string",
      "minLength": 1,
      "maxLength": 200,
      "pattern": "^[^\\u0001-\\u001f\\u007f-\\u009f]*$",
      "patternDescription": "without control characters"
    },
    "labels": {
      "type": "object",
      "free": {
        "most": 16,
        "key": "^[a-zA-Z0-9]([a-zA-Z0-9_./-]*[a-zA-Z0-9])?$",
        "keyMost": 64,
        "keyDescription": "letters, digits, '_', '.', '/' and '-' within, up to 64",
        "value": {
          "type": "string",
          "minLength": 1,
          "maxLength": 128,
          "pattern": "^[^\\u0001-\\u001f\\u007f-\\u009f]*$",
          "patternDescription": "without control characters"
        }
      }
    },
    "livepeer": {
      "type": "object",
      "properties": {
        "access_token": {
          "type": "string",
          "minLength": 1,
          "maxLength": 4096,
          "pattern": "^[^\\u0001-\\u001f\\u007f-\\u009f]*$",
          "patternDescription": "without control characters"
        },
        "api_url": {
          "type": "string",
          "minLength": 1,
          "maxLength": 8192
        }
      },
      "required": [
        "access_token"
      ]
    },
    "metadata": {
      "type": "object",
      "free": {
        "bytes": 4096,
        "depth": 4,
        "keys": 64
      }
    },
    "output": {
      "type": "object",
      "properties": {
        "url": {
          "type": "string",
          "minLength": 1,
          "maxLength": 8192
        }
      },
      "required": [
        "url"
      ]
    },
    "outputs": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "only_short": {
            "type": "boolean"
          },
          "segment_seconds": {
            "type": "integer",
            "minimum": 0,
            "maximum": 20
          },
          "type": {
            "type": "string",
            "enum": [
              "ts",
              "hls",
              "mp4",
              "fmp4",
              "source",
              "thumbnails"
            ]
          },
          "url": {
            "type": "string",
            "minLength": 1,
            "maxLength": 8192
          }
        },
        "required": [
          "type"
        ]
      },
      "minItems": 1,
      "maxItems": 16
    },
    "priority": {
      "type": "integer",
      "minimum": 0,
      "maximum": 9
    },
    "profiles": {
      "type": "array",
      "items": {
        "type": "object",
        "properties": {
          "bitrate": {
            "type": "integer",
            "minimum": 1000,
            "maximum": 1000000000
          },
          "chroma_format": {
            "type": "integer",
            "enum": [
              0
            ]
          },
          "color_depth": {
            "type": "integer",
            "enum": [
              0,
              8
            ]
          },
          "encoder": {
            "type": "string",
            "enum": [
              "",
              "H.264",
              "H264"
            ]
          },
          "fps": {
            "type": "integer",
            "minimum": 0,
            "maximum": 240240
          },
          "fps_den": {
            "type": "integer",
            "minimum": 0,
            "maximum": 1001
          },
          "gop": {
            "type": "string",
            "maxLength": 16,
            "pattern": "^(intra|[0-9]{1,4}(\\.[0-9]+)?)?$",
            "patternDescription": "seconds from 0 to 9999, as in 2.0, or intra"
          },
          "height": {
            "type": "integer",
            "minimum": 1,
            "maximum": 8192
          },
          "name": {
            "type": "string",
            "minLength": 1,
            "maxLength": 64,
            "pattern": "^[a-zA-Z0-9](\\.?[a-zA-Z0-9_-])*$",
            "patternDescription": "letters, digits, '-', '_' and single dots, beginning with a letter or digit"
          },
          "profile": {
            "type": "string",
            "enum": [
              "",
              "None",
              "H264Baseline",
              "H264Main",
              "H264High",
              "H264ConstrainedHigh"
            ]
          },
          "quality": {
            "type": "integer",
            "minimum": 0,
            "maximum": 44
          },
          "width": {
            "type": "integer",
            "minimum": 1,
            "maximum": 8192
          }
        },
        "required": [
          "name",
          "bitrate"
        ],
        "dependentRequired": {
          "height": [
            "width"
          ],
          "width": [
            "height"
          ]
        }
      },
      "maxItems": 10
    },
    "source": {
      "type": "object",
      "properties": {
        "url": {
          "type": "string",
          "minLength": 1,
          "maxLength": 8192
        }
      },
      "required": [
        "url"
      ]
    }
  },
  "required": [
    "source",
    "output",
    "callback_url"
  ]
}$form$::jsonb $function$;
REVOKE ALL ON FUNCTION weir.submission_form() FROM PUBLIC;
